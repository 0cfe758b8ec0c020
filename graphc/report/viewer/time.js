// time: the dispatches of a profiled step in their order, and the overview of everything.

function timePanel(root) {
  const p = D.profile;
  if (p) root.append(h("dl", { class: "figures" }, fact("a call", seconds(p.total)), fact("of it on the host", seconds(p.submit)),
    p.stamped ? fact("in kernels", seconds(p.busy)) : null, p.stamped ? fact("from first to last", seconds(p.span)) : null, fact("median of", `${p.repeat} calls`)));
  if (!profiled) root.append(h("p", { class: "quiet" }, p ? "This device has no time stamps: only the whole call was timed." : "The program was not profiled: there are no times."));
  const span = Math.max(...dispatches.map((d) => (d.start || 0) + (d.seconds || 0) / (d.times || 1)), 1e-12);
  const rows = dispatches.map((_, n) => n);
  const lane = (n) => {
    const d = dispatches[n];
    return h("span", { class: "lane", "aria-hidden": "true" }, h("span", { style: {
      left: `${(100 * d.start) / span}%`, width: `${(100 * d.seconds) / d.times / span}%`, background: familyColour(kernels[d.kernel].family) } }));
  };
  if (profiled) root.append(strip(span));
  const lines = (n) => flatMap(dispatches[n].parts.filter((part) => part[0] >= 0), (part) => flatMap(M.opsOfLaunch[part[0]], linesOfOp));
  const columns = [
    { name: "#", number: true, of: (n) => String(n), by: (n) => n },
    { name: "kernel", of: (n) => link("dispatch", n, kernelName(dispatches[n].kernel)), by: (n) => kernelName(dispatches[n].kernel) },
    { name: "phase", of: (n) => T(dispatches[n].phase), by: (n) => T(dispatches[n].phase) },
    { name: "source", of: (n) => lines(n).slice(0, 1).map((line) => to("line", line)) },
    { name: "moved", number: true, of: (n) => bytes(dispatches[n].read + dispatches[n].written), by: (n) => dispatches[n].read + dispatches[n].written },
  ];
  if (profiled) columns.push(
    { name: "runs", number: true, of: (n) => String(dispatches[n].times || 0), by: (n) => dispatches[n].times || 0 },
    { name: "time", number: true, of: (n) => seconds(dispatches[n].seconds), by: (n) => dispatches[n].seconds || 0 },
    { name: "when", of: (n) => (dispatches[n].times ? lane(n) : null), by: (n) => dispatches[n].start || 0 });
  root.append(table(plural(rows.length, "dispatch"), columns, rows, (n) => keyOf("dispatch", n), 0, false));
  return () => mark(root);
}

function strip(span) {
  const [width, height] = [1000, 46];
  const phases = [...new Set(dispatches.map((d) => T(d.phase)))];
  return h("figure", {}, s("svg", { viewBox: `0 0 ${width} ${height * phases.length}`, role: "img", preserveAspectRatio: "none", class: "strip",
    "aria-label": "Dispatches by time; the table below has the same figures" },
    dispatches.map((d, n) => (d.times ? s("rect", { x: (d.start / span) * width, width: Math.max(0.7, (d.seconds / d.times / span) * width), y: phases.indexOf(T(d.phase)) * height + 3,
      height: height - 6, class: "life", "data-key": keyOf("dispatch", n), style: { fill: familyColour(kernels[d.kernel].family) }, on: { click: () => choose("dispatch", n) } },
      s("title", {}, `${kernelName(d.kernel)}: ${seconds(d.seconds)}`)) : null))),
    h("figcaption", {}, `Rows: ${phases.join(", ")}. All of it takes ${seconds(span)}; where a loop repeats dispatches, its first step is drawn.`));
}

/** What is to be known at once: each card leads to where it comes from. */
function overviewPanel(root) {
  const cards = h("div", { class: "cards" });
  const card = (title, value, ...more) => cards.append(h("section", { class: "card" }, h("h3", {}, title), h("p", { class: "value" }, value), ...more.filter(Boolean).map((one) => h("p", {}, one))));
  if (D.profile) card("A call takes", seconds(D.profile.total), profiled ? `${seconds(D.profile.busy)} of it in kernels` : "no time stamps on this device");
  const known = M.lineCost.map((c, line) => [line, c]).filter(([, c]) => c);
  const line = known.sort((a, b) => timeOf(b[0]) - timeOf(a[0]))[0];
  if (line) card("Costliest line", to("line", line[0]), profiled ? `${seconds(line[1].seconds)}, ${percent(line[1].seconds / D.profile.busy)}` : `${bytes(line[1].bytes)} moved`);
  if (kernels.length) {
    const all = kernels.map((_, n) => kernelFigures(n));
    const longest = [...all].sort((a, b) => (b.seconds || b.bytes) - (a.seconds || a.bytes))[0];
    card(profiled ? "Kernel that takes longest" : "Kernel that moves most", to("kernel", longest.n), profiled ? `${seconds(longest.seconds)}, ${percent(longest.part)}` : bytes(longest.bytes));
    const far = all.filter((k) => isFinite(k.roof)).sort((a, b) => a.roof - b.roof)[0];
    if (far) card("Farthest from its roofline", to("kernel", far.n), `${percent(far.roof)} of what the device can do`);
  }
  if (lifetimes.length) {
    const at = lifetimes.map((_, n) => n).filter((n) => lifetimes[n][4] <= PEAK && lifetimes[n][5] >= PEAK).sort((a, b) => lifetimes[b][3] - lifetimes[a][3]);
    card("Peak of memory", bytes(D.memory.peak), D.memory.peak === D.memory.bound ? "no plan could beat it" : `no plan could beat ${bytes(D.memory.bound)}`);
    card("Largest tensor at the peak", to("tensor", lifetimes[at[0]][0]), `${bytes(lifetimes[at[0]][3])}; if it were not kept, ${saving(at[0])}`);
  }
  const first = stageRows(0).rows.length;
  if (dispatches.length) card("Fusion", `${plural(first, "op")} → ${plural(dispatches.length, "launch")}`, `of ${plural(kernels.length, "kernel")}`);
  else card("Graph", plural(first, "op"));
  const costly = launches.flatMap((l, n) => l.stops.map(([reader, , why, cost]) => ({ n, reader, why, cost }))).sort((a, b) => b.cost - a.cost)[0];
  if (costly) card("Costliest pair that is not one kernel", bytes(costly.cost), [to("launch", costly.n), " and ", costly.reader >= 0 ? to("launch", costly.reader) : ""], T(costly.why));
  if ((D.retraces || []).length > 1) card("Compiled", `${D.retraces.length} times`, h("span", { class: "difference" }, D.retraces.at(-1)[1][0] || ""));
  const c = D.contract;
  if (c) card("What a call takes", bytes(c.total), `${count(c.parameters)} parameters, ${count(c.flops)} operations, ${bytes(c.moved)} moved, ${plural(c.dispatches, "dispatch")}`);
  root.append(cards, legend());
  return () => mark(root);
}
