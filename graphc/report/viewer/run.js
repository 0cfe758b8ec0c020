// run: what a training run left: its loss, what was measured of its steps, and taps.

function runPanel(root) {
  const run = D.run;
  const last = run.losses.at(-1);
  root.append(h("dl", { class: "figures" }, fact("run", h("bdi", {}, run.name)), fact("steps", run.steps.toLocaleString("en")),
    last ? fact("last loss", last[1].toFixed(4)) : null, run.seconds ? fact("took", seconds(run.seconds)) : null));
  const charts = h("div", { class: "charts" });
  if (run.losses.length > 1) charts.append(chart("Loss", [["each step", run.losses, "faint"], ["smoothed", smoothed(run.losses), "strong"]]));
  const names = [...new Set(run.measured.flatMap(([, values]) => Object.keys(values)))];
  for (const name of names) {
    const points = run.measured.filter(([, values]) => name in values).map(([step, values]) => [step, values[name]]);
    if (points.length > 1) charts.append(chart(name.replaceAll("_", " "), [[name, points, "strong"]]));
  }
  root.append(charts);
  const taps = run.taps.at(-1);
  if (taps) root.append(tapTable(taps));
  if (run.update_ratios && run.update_ratios.length) root.append(ratioTable(run.update_ratios));
  if (run.samples && run.samples.length) root.append(h("h3", {}, "Samples"), h("ul", {}, run.samples.map((text) => h("li", {}, code(text)))));
  if (run.written && run.written.length) root.append(writtenTable(run.written));
  if (run.attention) root.append(attentionMap(run.attention));
  // As an image, a drawing runs no script and loads nothing.
  for (const [name, data] of run.pictures || []) root.append(h("figure", {}, h("img", { class: "picture", src: `data:image/svg+xml;base64,${data}`, alt: name }), h("figcaption", {}, name)));
  root.append(h("details", {}, h("summary", {}, "config"), h("dl", {}, run.config.map(([name, value]) => fact(name, code(value))))));
  return () => mark(root);
}

function smoothed(points) {
  const keep = 1 - Math.min(1, 20 / points.length);
  let [sum, weight] = [0, 0];
  return points.map(([step, value]) => {
    sum = keep * sum + value;
    weight = keep * weight + 1;
    return [step, sum / weight];
  });
}

function chart(title, series) {
  const [width, height, left, low] = [640, 170, 54, 20];
  const all = series.flatMap(([, points]) => points);
  const [x0, x1] = [Math.min(...all.map((p) => p[0])), Math.max(...all.map((p) => p[0]))];
  const values = all.map((p) => p[1]);
  const [y0, y1] = [Math.min(...values), Math.max(...values)];
  const X = (x) => left + ((x - x0) / (x1 - x0 || 1)) * (width - left - 8);
  const Y = (y) => height - low - ((y - y0) / (y1 - y0 || 1)) * (height - low - 8);
  const short = (v) => Number(v.toPrecision(3)).toString();
  return h("figure", {}, s("svg", { viewBox: `0 0 ${width} ${height}`, role: "img",
    "aria-label": `${title}: from ${short(all[0][1])} at step ${x0} to ${short(series.at(-1)[1].at(-1)[1])} at step ${x1}, lowest ${short(y0)}, highest ${short(y1)}` },
    [y0, (y0 + y1) / 2, y1].map((y) => [s("line", { x1: left, x2: width - 8, y1: Y(y), y2: Y(y), class: "grid" }), s("text", { x: 4, y: Y(y), class: "tick start" }, short(y))]),
    s("text", { x: left, y: height - 5, class: "tick start" }, String(x0)), s("text", { x: width - 20, y: height - 5, class: "tick" }, String(x1)),
    series.map(([name, points, kind]) => s("polyline", { class: `curve ${kind}`, points: points.map(([x, y]) => `${X(x).toFixed(1)},${Y(y).toFixed(1)}`).join(" ") }, s("title", {}, name)))),
    h("figcaption", {}, `${title} over the steps `, series.length > 1 ? series.map(([name, , kind]) => h("span", { class: `key ${kind}` }, name)) : null));
}

function tapTable([step, taps]) {
  const items = Object.entries(taps).map(([name, kinds]) => ({ name, value: kinds.value || {}, gradient: kinds.gradient || {} }));
  const size = (i) => Math.hypot(i.gradient.mean || 0, i.gradient.std || 0);
  const short = (v) => (typeof v === "number" ? Number(v.toPrecision(3)).toString() : "");
  return table(`Taps at step ${step}: values inside the model, and their gradients`, [
    { name: "tap", of: (i) => code(i.name), by: (i) => i.name },
    { name: "size of gradient", number: true, of: (i) => short(size(i)), by: size },
    { name: "gradients", of: (i) => histogram(i.gradient) },
    { name: "mean", number: true, of: (i) => short(i.value.mean), by: (i) => i.value.mean ?? NaN },
    { name: "std", number: true, of: (i) => short(i.value.std), by: (i) => i.value.std ?? NaN },
    { name: "saturated", number: true, of: (i) => percent(i.value.saturation ?? NaN), by: (i) => i.value.saturation ?? NaN },
    { name: "values", of: (i) => histogram(i.value) },
  ], items, null, 1);
}

function histogram(of) {
  if (!Array.isArray(of.histogram) || !of.histogram.length) return null;
  const most = Math.max(...of.histogram, 1);
  const step = 96 / of.histogram.length;
  return s("svg", { viewBox: "0 0 96 24", class: "histogram", role: "img", "aria-label": `from ${of.low} to ${of.high}` },
    of.histogram.map((n, k) => s("rect", { x: k * step, width: Math.max(0.5, step - 0.4), y: 24 - (24 * n) / most, height: (24 * n) / most })));
}

function ratioTable(found) {
  const names = [...new Set(found.flatMap(([, values]) => Object.keys(values)))];
  const items = names.map((name) => ({ name, points: found.filter(([, values]) => name in values).map(([step, values]) => [step, values[name]]) }));
  const short = (v) => Number(v.toPrecision(3)).toString();
  return table(`Update of each layer beside its weights, at step ${found.at(-1)[0]}: norm of the change / norm of the parameters. Near 0.001 is usual`, [
    { name: "layer", of: (i) => code(i.name), by: (i) => i.name },
    { name: "ratio", number: true, of: (i) => short(i.points.at(-1)[1]), by: (i) => i.points.at(-1)[1] },
    { name: "over the steps", of: (i) => sparkline(i.points.map((p) => Math.log10(Math.max(p[1], 1e-12)))) },
  ], items, null, 1);
}

function sparkline(values) {
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const X = (k) => (values.length > 1 ? (96 * k) / (values.length - 1) : 48);
  const Y = (v) => 22 - (high > low ? (20 * (v - low)) / (high - low) : 10);
  return s("svg", { viewBox: "0 0 96 24", class: "histogram", role: "img", "aria-label": `from 10 to the ${values[0].toFixed(1)} to 10 to the ${values.at(-1).toFixed(1)}` },
    s("polyline", { class: "curve", points: values.map((v, k) => `${X(k).toFixed(1)},${Y(v).toFixed(1)}`).join(" ") }));
}

function writtenTable(found) {
  return table("What it wrote while it learned", [
    { name: "step", number: true, of: ([step]) => step.toLocaleString("en"), by: ([step]) => step },
    { name: "samples", of: ([, texts]) => h("ul", { class: "things" }, texts.map((text) => h("li", {}, code(text)))) },
  ], found, null, 0, false);
}

/** Where each character looks: a row of squares a character, as dark as it looks at the one of the column. */
function attentionMap({ text, layers, heads, length, maps }) {
  const levels = Uint8Array.from(atob(maps), (c) => c.charCodeAt(0));
  const chosen = (name, n) => h("label", {}, `${name} `, h("select", { on: { change: draw } }, [...Array(n).keys()].map((k) => h("option", { value: k }, String(k)))), " ");
  const [layer, head] = [chosen("layer", layers), chosen("head", heads)];
  const place = h("figure", {});
  const said = h("p", { class: "quiet", "aria-live": "polite" });
  const shown = (c) => (c === " " ? "␣" : c === "\n" ? "↵" : c);
  const value = (at) => Number(at.querySelector("select").value);
  function draw() {
    const start = (value(layer) * heads + value(head)) * length * length;
    const side = 14;
    const size = (length + 1) * side;
    const cells = [];
    for (let row = 0; row < length; row++)
      for (let column = 0; column <= row; column++) {
        const level = levels[start + row * length + column] / 255;
        cells.push(s("rect", { x: (column + 1) * side, y: (row + 1) * side, width: side, height: side, class: "weight", "fill-opacity": level.toFixed(2), "data-row": row, "data-column": column, "data-level": level.toFixed(2) }));
      }
    const most = text.map((_, row) => { const line = levels.subarray(start + row * length, start + row * length + row + 1); return line.indexOf(Math.max(...line)); });
    const told = `Layer ${value(layer)}, head ${value(head)}. ` + text.map((c, row) => `${shown(c)} looks most at ${shown(text[most[row]])} (${row - most[row]} back)`).join("; ");
    place.replaceChildren(s("svg", { viewBox: `0 0 ${size} ${size}`, class: "attention", role: "img", "aria-label": told, style: { "max-width": `${size * 1.4}px` }, on: { pointerover: tell } },
      text.map((c, k) => [s("text", { x: side / 2, y: (k + 1.75) * side, class: "tick" }, shown(c)), s("text", { x: (k + 1.5) * side, y: side * 0.75, class: "tick" }, shown(c))]), cells),
      h("figcaption", {}, "A row: a character that looks. A column: what it looks at. The darker, the more."));
  }
  function tell(event) {
    const { row, column, level } = event.target.dataset;
    if (row) said.textContent = `${shown(text[row])} at ${row} looks at ${shown(text[column])} at ${column}: ${level}`;
  }
  draw();
  return h("section", { class: "looks" }, h("h3", {}, "Attention"), h("p", {}, layer, head), place, said);
}
