// compare: a second program or run beside this one.

function comparePanel(root) {
  const other = D.beside;
  const here = { name: D.name, device: D.device, profile: D.profile, memory: D.memory, contract: D.contract, launches: dispatches.length, ops: stageRows(0).rows.length };
  const both = profiled && Boolean(other.profile && other.profile.stamped);
  const figures = [
    ["a call", (d) => d.profile && d.profile.total, seconds], ["in kernels", (d) => d.profile && d.profile.stamped && d.profile.busy, seconds],
    ["launches", (d) => d.launches, count], ["ops as traced", (d) => d.ops, count], ["peak of memory", (d) => d.memory.peak, bytes],
    ["no plan could beat", (d) => d.memory.bound, bytes], ["memory in all", (d) => d.contract.total, bytes], ["parameters", (d) => d.contract.parameters, count],
    ["operations", (d) => d.contract.flops, count], ["moved", (d) => d.contract.moved, bytes],
  ].map(([name, of, show]) => ({ name, a: of(here), b: of(other), show })).filter((f) => typeof f.a === "number" || typeof f.b === "number");
  const shown = (value, show) => (typeof value === "number" ? show(value) : "");
  const columns = (show) => [
    { name: "this", number: true, of: (i) => shown(i.a, i.show || show), by: (i) => i.a ?? -1 },
    { name: "the other", number: true, of: (i) => shown(i.b, i.show || show), by: (i) => i.b ?? -1 },
    { name: "other / this", number: true, of: (i) => (i.a > 0 && typeof i.b === "number" ? `${(i.b / i.a).toFixed(2)} ×` : ""), by: (i) => (i.a > 0 ? i.b / i.a : NaN) },
    { name: "difference", number: true, of: (i) => shown(gap(i), i.show || show), by: gap },
  ];
  const gap = (i) => (i.b || 0) - (i.a || 0);
  root.append(h("p", {}, "This: ", h("bdi", {}, `${D.run ? `${D.run.name}, ` : ""}${D.name} on ${D.device}`), ". The other: ", h("bdi", {}, `${other.run ? `${other.run.name}, ` : ""}${other.name} on ${other.device}`), "."),
    table("Figures", [{ name: "figure", of: (i) => i.name, by: (i) => i.name }, ...columns(count).slice(0, 3)], figures));
  if (D.run && other.run && D.run.losses.length > 1 && other.run.losses.length > 1)
    root.append(chart("Loss, smoothed", [["this", smoothed(D.run.losses), "strong"], ["the other", smoothed(other.run.losses), "second"]]));
  const show = both ? seconds : bytes;
  root.append(
    table(`Lines by ${both ? "time" : "bytes moved"}`, [
      { name: "line", of: (i) => (i.line === undefined ? i.name : to("line", i.line)), by: (i) => i.name },
      { name: "source", of: (i) => code(i.text), by: (i) => i.text }, ...columns(show)], pairedLines(other, both), null, 2),
    table(`Kernels by ${both ? "time" : "bytes moved"}`, [
      { name: "kernel", of: (i) => (i.n === undefined ? i.name : to("kernel", i.n)), by: (i) => i.name }, ...columns(show)], pairedKernels(other, both), null, 1));
  return () => mark(root);
}

/** Lines of both: those of one text (and of one turn among such) are one line, wherever they stand. */
function pairedLines(other, timed) {
  const found = new Map();
  const turns = [new Map(), new Map()];
  const item = (side, text, name) => {
    const turn = turns[side].get(text) || 0;
    turns[side].set(text, turn + 1);
    const key = `${text}\n${turn}`;
    if (!found.has(key)) found.set(key, { text, name });
    return found.get(key);
  };
  const known = M.lineCost.map((cost, line) => [line, cost]).filter(([, cost]) => cost).sort((x, y) => timeOf(y[0]) - timeOf(x[0]));
  for (const [line, cost] of known) {
    const [file, number] = D.lines[line];
    const at = D.files[file].lines.find(([n]) => n === number);
    Object.assign(item(0, at ? at[1].trim() : "", lineName(line)), { line, a: timed ? cost.seconds : cost.bytes });
  }
  for (const [name, text, time, moved] of other.lines) item(1, text, name).b = timed ? time : moved;
  return [...found.values()];
}

function pairedKernels(other, timed) {
  const found = new Map();
  kernels.forEach((_, n) => {
    const total = rates(M.dispatchesOfKernel[n] || []);
    found.set(kernelName(n), { name: kernelName(n), n, a: timed ? total.seconds : total.bytes });
  });
  for (const [name, , , time, moved] of other.kernels) {
    if (!found.has(name)) found.set(name, { name });
    found.get(name).b = timed ? time : moved;
  }
  return [...found.values()];
}
