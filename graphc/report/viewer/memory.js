// memory: each tensor of the arenas as long as it lives and where it lies, and who stands at the peak.

const LIVE = (() => {
  const change = new Array(M.parts.length + 2).fill(0);
  for (const [, , , size, start, end] of lifetimes) {
    change[start] += size;
    change[end + 1] -= size;
  }
  let sum = 0;
  return change.slice(0, Math.max(1, M.parts.length)).map((step) => (sum += step));
})();
const PEAK = LIVE.indexOf(Math.max(...LIVE));

/** Most bytes that live at once if one tensor lived only where it is made and where it is read last. */
function peakWithout(life) {
  const [, , , size, start, end] = lifetimes[life];
  let most = 0;
  LIVE.forEach((live, at) => (most = Math.max(most, at > start && at < end ? live - size : live)));
  return most;
}

function saving(life) {
  const saved = LIVE[PEAK] - peakWithout(life);
  return saved ? `the peak would be ${bytes(saved)} lower` : "the peak would be the same";
}

function memoryPanel(root) {
  const m = D.memory;
  const atPeak = lifetimes.map((_, n) => n).filter((n) => lifetimes[n][4] <= PEAK && lifetimes[n][5] >= PEAK).sort((a, b) => lifetimes[b][3] - lifetimes[a][3]);
  root.append(h("dl", { class: "figures" },
    fact("peak", bytes(m.peak)), fact("no plan could beat", bytes(m.bound)), fact("without reuse", bytes(m.naive)),
    fact("arguments", bytes(m.inputs)), fact("constants", bytes(m.constants)), fact("results", bytes(m.outputs)), m.textures ? fact("textures", bytes(m.textures)) : null));
  if (!lifetimes.length) {
    root.append(h("p", { class: "quiet" }, "Nothing lives between two kernels."));
    return () => mark(root);
  }
  root.append(timeline(m));
  const where = M.parts[PEAK];
  root.append(h("p", {}, `The most lives at dispatch ${PEAK}: `, where && where[1] >= 0 ? to("launch", where[1]) : "a copy", "."));
  const place = (t) => D.buffers[tensors[t][2]];
  root.append(
    table(`Who stands at the peak (${plural(atPeak.length, "tensor")})`, [
      { name: "tensor", of: (n) => to("tensor", lifetimes[n][0]), by: (n) => tensorName(lifetimes[n][0]) },
      { name: "bytes", number: true, of: (n) => [bytes(lifetimes[n][3]), bar(lifetimes[n][3] / LIVE[PEAK])], by: (n) => lifetimes[n][3] },
      { name: "saved if not kept", number: true, of: (n) => bytes(LIVE[PEAK] - peakWithout(n)), by: (n) => LIVE[PEAK] - peakWithout(n) },
      { name: "lives", number: true, of: (n) => `${lifetimes[n][4]} to ${lifetimes[n][5]}`, by: (n) => lifetimes[n][4] },
      { name: "made by", of: (n) => opsOfTensor(lifetimes[n][0]).slice(0, 1).map((op) => row.op(M.rowOf.get(op))).join(", ") },
      { name: "from", of: (n) => flatMap(opsOfTensor(lifetimes[n][0]), linesOfOp).slice(0, 2).map((line) => to("line", line)) },
    ], atPeak, (n) => keyOf("tensor", lifetimes[n][0]), 1),
    table("All tensors", [
      { name: "tensor", of: (t) => to("tensor", t), by: tensorName },
      { name: "type", of: (t) => T(tensors[t][1]), by: (t) => T(tensors[t][1]) },
      { name: "bytes", number: true, of: (t) => bytes(tensors[t][4]), by: (t) => tensors[t][4] },
      { name: "where", of: (t) => `${place(t)[1]} ${place(t)[1] === "arena" ? place(t)[3] : ""} + ${tensors[t][3]}`, by: (t) => place(t)[1] },
      { name: "lives", number: true, of: (t) => `${tensors[t][5]} to ${tensors[t][6]}`, by: (t) => tensors[t][5] },
    ], tensors.map((_, t) => t), (t) => keyOf("tensor", t), 2));
  return () => mark(root);
}

function timeline(m) {
  const [width, height, low] = [1000, 300, 70];
  const steps = Math.max(1, M.parts.length);
  const tops = [];
  for (const [, arena, offset, size] of lifetimes) tops[arena] = Math.max(tops[arena] || 0, offset + size);
  const base = [];
  tops.reduce((sum, top, arena) => ((base[arena] = sum), sum + top), 0);
  const whole = tops.reduce((a, b) => a + b, 0) || 1;
  const X = (part) => (part / steps) * width;
  const Y = (address) => height - (address / whole) * height;
  const rects = lifetimes.map(([tensor, arena, offset, size, start, end], n) => {
    const launch = makerOf(tensor);
    const tall = Math.max(0.6, (size / whole) * height);
    return s("rect", { x: X(start), y: Y(base[arena] + offset + size), width: Math.max(1, X(end + 1) - X(start)), height: tall,
      class: "life", "data-key": keyOf("tensor", tensor), style: { fill: launch < 0 ? "var(--quiet)" : launchColour(launch) },
      on: { click: () => choose("tensor", tensor) } }, s("title", {}, `${tensorName(tensor)}: ${bytes(size)} at ${offset} of arena ${arena}, dispatches ${start} to ${end}`));
  });
  const most = Math.max(m.peak, LIVE[PEAK], 1);
  const L = (value) => height + 10 + low - (value / most) * low;
  const area = LIVE.map((live, at) => `${X(at)},${L(live)} ${X(at + 1)},${L(live)}`).join(" ");
  return h("figure", {}, s("svg", { viewBox: `0 0 ${width} ${height + low + 12}`, role: "img", preserveAspectRatio: "none", class: "timeline",
    "aria-label": "Tensors by time and address; the tables below have the same figures" },
    rects, s("polygon", { points: `0,${L(0)} ${area} ${width},${L(0)}`, class: "live" }),
    s("line", { x1: 0, x2: width, y1: L(m.bound), y2: L(m.bound), class: "roof" }),
    s("line", { x1: X(PEAK + 0.5), x2: X(PEAK + 0.5), y1: 0, y2: height + low + 12, class: "peak" })),
    h("figcaption", {}, `Across: the ${plural(steps, "dispatch")} in order. Up: addresses${tops.length > 1 ? `, of ${tops.length} arenas` : ""}. Below: bytes alive, and the line that no plan could beat. The red line is the peak.`));
}
