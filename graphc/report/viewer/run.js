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
  if (run.samples && run.samples.length) root.append(h("h3", {}, "Samples"), h("ul", {}, run.samples.map((text) => h("li", {}, code(text)))));
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
