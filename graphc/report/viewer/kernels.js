// kernels: all of them with what they cost, their place under the roofline, and the WGSL of the one that is selected.

const WGSL = /(?<comment>\/\/.*|\/\*[\s\S]*?\*\/)|(?<string>@\w+)|(?<number>\b\d[\w.]*(?:[eE][+-]?\d+)?[fiuh]?)|(?<word>[A-Za-z_]\w*)/g;
const WGSL_WORDS = new Set(("fn var let const if else for while loop break continue continuing return struct switch case default enable override alias true false " +
  "storage read read_write uniform workgroup function private").split(" "));
const WGSL_TYPES = /^(?:[fiu](?:16|32|64)|bool|vec[234]\w?|mat\d\w*|array|atomic|ptr|texture_\w+)$/;

function kernelFigures(n) {
  const list = M.dispatchesOfKernel[n] || [];
  const total = rates(list);
  return { n, list, ...total, part: profiled ? total.seconds / D.profile.busy : NaN, roof: reached(total) };
}

function kernelsPanel(root) {
  const all = kernels.map((_, n) => kernelFigures(n));
  const columns = [
    { name: "kernel", of: (k) => to("kernel", k.n), by: (k) => kernelName(k.n) },
    { name: "family", of: (k) => T(kernels[k.n].family), by: (k) => T(kernels[k.n].family) },
    { name: "launches", number: true, of: (k) => String(k.list.length), by: (k) => k.list.length },
    { name: "moved", number: true, of: (k) => bytes(k.bytes), by: (k) => k.bytes },
    { name: "operations", number: true, of: (k) => count(k.flops), by: (k) => k.flops },
  ];
  if (profiled) columns.splice(2, 0,
    { name: "time", number: true, of: (k) => [seconds(k.seconds), bar(k.part)], by: (k) => k.seconds },
    { name: "of roofline", number: true, of: (k) => percent(k.roof), by: (k) => k.roof });
  const detail = h("div", { class: "detail" });
  root.append((profiled && roofline(all)) || h("p", { class: "quiet" }, "No times: the program was not profiled, or the device has no time stamps."),
    h("div", { class: "split kernels" }, table(plural(all.length, "kernel"), columns, all, (k) => keyOf("kernel", k.n), 2), detail));
  let shown = -2;
  return () => {
    const n = state.found.kernel.length ? state.found.kernel[0] : -1;
    if (n !== shown) {
      shown = n;
      detail.replaceChildren(...kernelDetail(n));
    }
    mark(root);
  };
}

function kernelDetail(n) {
  if (n < 0) return [h("p", { class: "quiet" }, "Choose a kernel to see its WGSL.")];
  const kernel = kernels[n];
  const text = kernel.wgsl.map((line) => D.wgsl[line]).join("\n");
  const list = M.dispatchesOfKernel[n] || [];
  const sizes = [...new Set(list.map((d) => dispatches[d].groups.join(" × ")))];
  return [
    h("h3", { id: "wgsl-title" }, kernelName(n)),
    h("dl", {}, fact("workgroups", sizes.slice(0, 6).join(", ") + (sizes.length > 6 ? ", …" : "")), fact("bindings", kernel.access.join(", ") || "none"),
      kernel.turns ? fact("turns of its loops, at most", kernel.turns.toLocaleString("en")) : null,
      kernel.needs.length ? fact("needs", kernel.needs.join(", ")) : null),
    h("pre", { class: "wgsl", tabindex: 0, "aria-labelledby": "wgsl-title" },
      h("code", {}, coloured(text, WGSL, (word) => (WGSL_WORDS.has(word) ? "keyword" : WGSL_TYPES.test(word) ? "type" : null)))),
  ];
}

/** Operations a byte against operations a second, both logarithmic, and what the device can do. */
function roofline(all) {
  const points = all.filter((k) => k.seconds > 0 && k.bytes > 0);
  if (!points.length || !PEAKS.bytes || !PEAKS.flops) return null;
  const [width, height, pad] = [640, 240, 44];
  const intensity = (k) => Math.max(k.flops, 1) / k.bytes;
  const rate = (k) => Math.max(k.flops, 1) / k.seconds;
  const roof = (x) => Math.min(PEAKS.flops, x * PEAKS.bytes);
  const xs = [...points.map(intensity), PEAKS.flops / PEAKS.bytes];
  const ys = [...points.map(rate), PEAKS.flops];
  const span = (values) => [Math.floor(Math.log10(Math.min(...values))), Math.ceil(Math.log10(Math.max(...values)) + 0.01)];
  const [[x0, x1], [y0, y1]] = [span(xs), span(ys)];
  const X = (v) => pad + ((Math.log10(v) - x0) / (x1 - x0)) * (width - pad - 10);
  const Y = (v) => height - 28 - ((Math.log10(v) - y0) / (y1 - y0)) * (height - 40);
  const clamp = (v) => Math.max(10 ** y0, v);
  const knee = PEAKS.flops / PEAKS.bytes;
  const grid = [];
  for (let e = x0; e <= x1; e++) grid.push(s("text", { x: X(10 ** e), y: height - 12, class: "tick" }, `${10 ** e}`));
  for (let e = y0; e <= y1; e++) grid.push(s("text", { x: 4, y: Y(10 ** e), class: "tick start" }, count(10 ** e)), s("line", { x1: pad, x2: width - 10, y1: Y(10 ** e), y2: Y(10 ** e), class: "grid" }));
  const dots = points.map((k) => s("circle", { cx: X(intensity(k)), cy: Y(clamp(rate(k))), r: 3 + 9 * Math.sqrt(k.part || 0), class: "dot", "data-key": keyOf("kernel", k.n),
    style: { fill: familyColour(kernels[k.n].family) }, on: { click: () => choose("kernel", k.n) } },
    s("title", {}, `${kernelName(k.n)}: ${percent(k.roof)} of the roofline, ${seconds(k.seconds)}`)));
  return h("figure", {}, s("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": "Roofline: the table below has the same figures" }, grid,
    s("polyline", { points: [10 ** x0, knee, 10 ** x1].filter((v) => v >= 10 ** x0).map((v) => `${X(v)},${Y(clamp(roof(v)))}`).join(" "), class: "roof" }), dots),
    h("figcaption", {}, `Operations a byte (across) and a second (up); a dot's size is its share of the time. The roof is ${PEAKS.measured ? "what this device was measured to do" : "the best that a kernel of this program reached"}: ` +
      `${(PEAKS.flops / 1e9).toFixed(1)} GFLOP/s and ${(PEAKS.bytes / 1e9).toFixed(1)} GB/s.`));
}

const FAMILY = new Map(D.kinds);
const familyColour = (text) => FAMILY.get(T(text)) || FAMILY.get("custom");
