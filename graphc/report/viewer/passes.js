// passes: what each pass changed, why kernels are not one, and why the function was compiled more than once.

function passesPanel(root) {
  const list = h("ol", { class: "passes", start: 0 });
  const body = h("div", { class: "scrolls" });
  D.stages.forEach((stage, n) => {
    const c = stage.changes;
    const text = n === 0 ? plural(stage.rows.length, "op") : !c ? "changed nothing" : [
      c.gone.length ? `−${c.gone.length}` : "", c.came.length ? `+${c.came.length}` : "", c.others.length ? `~${c.others.length}` : "",
      c.moved ? `${c.moved} moved` : "", madeKernels(n) ? plural(madeKernels(n), "kernel") : ""].filter(Boolean).join(" ") || "renamed";
    list.append(h("li", {}, h("button", { type: "button", "data-stage": n, on: { click: () => go({ stage: n }) } }, T(stage.name)), h("span", { class: "quiet" }, ` ${text}`)));
  });
  root.append(h("div", { class: "split" }, h("nav", { "aria-label": "Passes" }, list), body));
  let shown = -1;
  return () => {
    for (const node of list.querySelectorAll("button")) {
      if (Number(node.dataset.stage) === state.stage) node.setAttribute("aria-current", "true");
      else node.removeAttribute("aria-current");
    }
    if (shown !== state.stage) {
      shown = state.stage;
      body.replaceChildren(...passBody(shown));
    }
    mark(body);
  };
}

/** How many kernels a stage has that its predecessor had not; 0 unless it is the one that makes them. */
function madeKernels(n) {
  const of = (stage) => stage.rows.filter((r) => row.op(r) === "fused").length;
  const before = of(stageRows(n - 1));
  return before ? 0 : of(stageRows(n));
}

function passBody(n) {
  const stage = D.stages[n];
  const found = [h("h3", {}, T(stage.name)), h("p", {}, T(stage.about)),
    h("p", {}, h("button", { type: "button", on: { click: () => go({ tab: "graph" }) } }, "Show this stage in the graph"))];
  if (n === 0) found.push(opList("Ops as traced", stage.rows.map((r) => [r])));
  const c = stage.changes;
  if (n > 0 && !c) found.push(h("p", {}, "It found nothing to change."));
  if (!c) return found;
  const kernelsMade = madeKernels(n) ? stage.rows.filter((r) => row.op(r) === "fused") : [];
  found.push(
    opList("Removed", c.gone.map(([r, instead]) => [r, instead >= 0 ? [" read instead: ", M.rowOf.has(instead) ? to("op", instead) : valueName(instead)] : null])),
    opList("Added", c.came.map((r) => [r])),
    opList("Changed", c.others.map(([was, now]) => [now, [" before: ", code(opText(was))]])),
    c.moved ? h("p", {}, `${plural(c.moved, "op")} stand elsewhere in the order.`) : null,
    kernelsMade.length ? h("section", {}, h("h4", {}, `Kernels made (${kernelsMade.length})`),
      listed(h("ul", { class: "ops" }), kernelsMade, (r) => {
        const launch = M.launchOf.get(row.outputs(r)[0]);
        return h("li", {}, launch === undefined ? row.kind(r) : to("launch", launch), ` ${[...leaves([r])].map(row.op).join(", ").slice(0, 200)}`);
      })) : null);
  return found.filter(Boolean);
}

function opList(title, items) {
  if (!items.length) return null;
  return h("section", {}, h("h4", {}, `${title} (${items.length})`), listed(h("ul", { class: "ops" }), items, ([r, more]) => {
    const op = row.outputs(r)[0];
    return h("li", { "data-key": keyOf("op", op) },
      h("button", { type: "button", class: "code", "data-key": keyOf("op", op), on: { click: () => choose("op", op) } }, code(opText(r))),
      row.lines(r).slice(0, 1).map((line) => [" ", to("line", line)]), more || null);
  }, 100));
}

function fusionPanel(root) {
  const items = [];
  launches.forEach((launch, n) => launch.stops.forEach(([reader, op, why, cost]) => items.push({ n, reader, op: T(op), why: T(why), cost })));
  const total = items.reduce((sum, item) => sum + item.cost, 0);
  const filter = h("input", { type: "search", placeholder: "filter: an op, a kernel, a reason", "aria-label": "Filter", on: { input: () => fill() } });
  const only = h("input", { type: "checkbox", on: { change: () => fill() } });
  const place = h("div");
  const text = (item) => `${launchName(item.n)} ${opsText(item.n)} ${item.reader >= 0 ? launchName(item.reader) + " " + opsText(item.reader) : item.op} ${item.why}`.toLowerCase();
  function fill() {
    const wanted = filter.value.trim().toLowerCase();
    const chosen = new Set(state.found.launch);
    const shown = items.filter((item) => (!wanted || text(item).includes(wanted)) && (!only.checked || chosen.has(item.n) || chosen.has(item.reader)));
    place.replaceChildren(table(`${plural(shown.length, "pair")} of kernels of which one reads the other`, [
      { name: "bytes", number: true, of: (i) => bytes(i.cost), by: (i) => i.cost },
      { name: "kernel", of: (i) => [to("launch", i.n), h("div", { class: "quiet" }, opsText(i.n))], by: (i) => launchName(i.n) },
      { name: "read by", of: (i) => (i.reader >= 0 ? [to("launch", i.reader), h("div", { class: "quiet" }, opsText(i.reader))] : i.op), by: (i) => (i.reader >= 0 ? launchName(i.reader) : i.op) },
      { name: "why they are not one", of: (i) => i.why, by: (i) => i.why },
    ], shown, null, 0));
    mark(place);
  }
  root.append(h("p", {}, `Where one kernel reads what another one makes, the tensor between them goes through memory: ${bytes(total)} in all, counted for each pair. ` +
    "One kernel for both would not read it again, and not write it where nobody else reads it."),
    h("div", { class: "bar-row" }, filter, h("label", {}, only, " of the selection only")), place);
  fill();
  return () => (only.checked ? fill() : mark(place));
}

const opsText = (launch) => [...new Set((M.opsOfLaunch[launch] || []).map((op) => row.op(M.rowOf.get(op))))].slice(0, 6).join(", ");

function signaturesPanel(root) {
  const all = D.retraces || [];
  root.append(h("p", {}, all.length > 1 ? `The function was compiled ${all.length} times: once for each signature of its arguments.` : "The function was compiled once."),
    h("ol", { class: "retraces" }, all.map(([signature, why], n) =>
      h("li", {}, why.length ? [h("strong", {}, "Compiled again because "), h("ul", {}, why.map((text) => h("li", { class: "difference" }, code(text))))] : n ? "Compiled again." : "The first time.",
        h("details", {}, h("summary", {}, "signature"), h("p", {}, code(signature)))))));
  const named = (list, title) => list && list.length ? table(title, [
    { name: "name", of: (i) => code(T(i[0])), by: (i) => T(i[0]) },
    { name: "type", of: (i) => T(i[1]), by: (i) => T(i[1]) },
    { name: "bytes", number: true, of: (i) => bytes(i[2]), by: (i) => i[2] },
    { name: "", of: (i) => (i[3] === 1 && i.length === 5 ? "donated" : "") },
  ], list) : null;
  root.append(...[named(D.arguments, "Arguments"), named(D.results, "Results")].filter(Boolean));
  return () => {};
}
