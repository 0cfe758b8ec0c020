// inspect: what is selected (it is in the URL's hash), and the panel that tells all that belongs to it.

const state = { tab: "overview", thing: null, pinned: null, found: related(null), stage: D.stages.length - 1 };
const listeners = [];

const keyOf = (type, id) => `${type}:${id}`;
const exists = {
  line: (id) => id < D.lines.length,
  op: (id) => M.rowOf.has(id),
  launch: (id) => id < launches.length,
  kernel: (id) => id < kernels.length,
  dispatch: (id) => id < dispatches.length,
  tensor: (id) => id < tensors.length,
};

function readHash() {
  const given = new URLSearchParams(location.hash.slice(1));
  const tab = given.get("tab");
  if (panels.some((panel) => panel.id === tab)) state.tab = tab;
  const stage = Number(given.get("stage") ?? D.stages.length - 1);
  if (Number.isInteger(stage) && stage >= 0 && stage < D.stages.length) state.stage = stage;
  state.thing = null;
  for (const type of Object.keys(exists)) {
    const id = given.has(type) ? Number(given.get(type)) : NaN;
    if (Number.isInteger(id) && id >= 0 && exists[type](id)) state.thing = { type, id };
  }
  const [type, id] = (given.get("with") || "").split(".");
  const number = id ? Number(id) : NaN;
  state.pinned = Object.hasOwn(exists, type) && Number.isInteger(number) && number >= 0 && exists[type](number) ? { type, id: number } : null;
  state.found = related(state.thing);
}

/** Go to a place: a tab, a thing or a stage. It is the hash that decides what is shown. */
function go(to) {
  const next = { tab: state.tab, stage: state.stage, thing: state.thing, pinned: state.pinned, ...to };
  const parts = [`tab=${next.tab}`];
  if (next.stage !== D.stages.length - 1) parts.push(`stage=${next.stage}`);
  if (next.thing) parts.push(`${next.thing.type}=${next.thing.id}`);
  if (next.pinned) parts.push(`with=${next.pinned.type}.${next.pinned.id}`);
  const hash = `#${parts.join("&")}`;
  if (location.hash !== hash) location.hash = hash;
  apply();
}

let applied = null;

/** Show the place that the hash names, unless it is shown already. */
function apply() {
  if (location.hash === applied) return;
  applied = location.hash;
  readHash();
  updated();
}

const choose = (type, id, tab) => go({ thing: { type, id }, ...(tab ? { tab } : {}) });

/** A button that selects a thing, and opens the panel where it is shown best if there is one to open. */
function link(type, id, text, tab) {
  return h("button", { type: "button", class: `thing ${type}`, "data-key": keyOf(type, id), on: { click: () => choose(type, id, tab) } }, h("bdi", {}, text));
}

const nameOf = {
  line: lineName,
  op: opName,
  launch: launchName,
  kernel: kernelName,
  dispatch: (d) => `#${d} ${kernelName(dispatches[d].kernel)}`,
  tensor: tensorName,
};
const home = { kernel: "kernels", dispatch: "time", tensor: "memory" };
const to = (type, id) => link(type, id, nameOf[type](id), home[type]);

/** Mark what belongs to the selection in a part of the page. */
function mark(within) {
  for (const node of within.querySelectorAll("[data-key]")) {
    const [type, id] = node.dataset.key.split(":");
    const on = state.found[type] && state.found[type].includes(Number(id));
    node.classList.toggle("on", Boolean(on));
    const chosen = state.thing && state.thing.type === type && state.thing.id === Number(id);
    if (node.tagName === "BUTTON") chosen ? node.setAttribute("aria-current", "true") : node.removeAttribute("aria-current");
  }
}

const fact = (name, ...value) => h("div", { class: "fact" }, h("dt", {}, name), h("dd", {}, value));

function group(title, type, ids, most = 12) {
  if (!ids.length) return null;
  const list = h("ul", { class: "things" });
  listed(list, ids, (id) => h("li", {}, to(type, id)), most);
  return h("section", {}, h("h3", {}, `${title} (${ids.length.toLocaleString("en")})`), list);
}

const facts = {
  line(id) {
    const cost = M.lineCost[id];
    const shown = D.files[D.lines[id][0]].lines.find(([number]) => number === D.lines[id][1]);
    return [
      h("pre", { class: "text" }, code(shown ? shown[1].trim() : "")),
      h("dl", {}, cost ? costFacts(cost, profiled && D.profile.busy) : fact("cost", "no kernel computes it")),
    ];
  },
  op(id) {
    const r = M.rowOf.get(id);
    const cost = M.share.get(id);
    const gone = M.died.get(id);
    return [
      h("pre", { class: "text" }, code(opText(r))),
      h("dl", {},
        fact("phase", row.phase(r)),
        row.scope(r) ? fact("scope", row.scope(r)) : null,
        M.born.get(id) ? fact("made by", passLink(M.born.get(id))) : null,
        gone ? fact("removed by", passLink(gone[0])) : null,
        gone && gone[1] >= 0 ? fact("read instead", M.rowOf.has(gone[1]) ? to("op", gone[1]) : valueName(gone[1])) : null,
        cost ? costFacts(cost, profiled && D.profile.busy) : null),
      reads(r),
    ];
  },
  launch: (id) => [h("dl", {}, costFacts(launchCost(id), profiled && D.profile.busy)), why(id)],
  kernel(id) {
    const list = M.dispatchesOfKernel[id] || [];
    const total = rates(list);
    return [
      h("dl", {}, fact("family", T(kernels[id].family)), fact("launches", plural(list.length, "dispatch")),
        costFacts(total, profiled && D.profile.busy),
        isFinite(reached(total)) ? fact("of the roofline", percent(reached(total))) : null),
      state.found.launch.length === 1 ? why(state.found.launch[0]) : null,
    ];
  },
  dispatch(id) {
    const one = dispatches[id];
    return [h("dl", {}, fact("workgroups", one.groups.join(" × ")), fact("phase", T(one.phase)),
      costFacts(rates([id]), profiled && D.profile.busy)),
      state.found.launch.length === 1 ? why(state.found.launch[0]) : null];
  },
  tensor(id) {
    const [, type, buffer, offset, size] = tensors[id];
    const life = M.lifeOf.get(id);
    const where = D.buffers[buffer];
    return [h("dl", {}, fact("type", T(type)), fact("bytes", `${size.toLocaleString("en")} (${bytes(size)})`),
      fact("address", `${where[1]} ${T(where[0])} + ${offset.toLocaleString("en")}`),
      fact("in the plan", T(tensors[id][0])),
      life === undefined ? null : fact("lives", `${lifetimes[life][4]} to ${lifetimes[life][5]}`),
      life === undefined ? null : fact("if it were not kept", saving(life)))];
  },
};

function costFacts(cost, whole) {
  return [
    cost.seconds ? fact("time", `${seconds(cost.seconds)}${whole ? `, ${percent(cost.seconds / whole)}` : ""}`) : null,
    fact("moved", bytes(cost.bytes)),
    fact("operations", count(cost.flops)),
    cost.seconds ? fact("rate", `${(cost.flops / cost.seconds / 1e9).toFixed(2)} GFLOP/s, ${(cost.bytes / cost.seconds / 1e9).toFixed(2)} GB/s`) : null,
  ];
}

const passLink = (stage) =>
  h("button", { type: "button", class: "thing pass", on: { click: () => go({ tab: "passes", stage }) } }, stageName(stage));

function reads(r) {
  const ops = [...new Set(row.inputs(r))].filter((v) => M.rowOf.has(v));
  return ops.length ? group("Reads", "op", ops, 6) : null;
}

/** What a kernel is, and why it is not one with its readers and those that it reads. */
function why(launch) {
  const one = launches[launch];
  const stops = [...one.stops.map(([reader, op, text, cost]) => ["read by", reader, op, text, cost])];
  launches.forEach((other, n) => {
    for (const [reader, , text, cost] of other.stops) if (reader === launch && n !== launch) stops.push(["reads", n, "", text, cost]);
  });
  stops.sort((a, b) => b[4] - a[4]);
  return h("section", {}, h("h3", {}, "Why it is a kernel of its own"),
    h("ul", { class: "why" }, one.why.slice(0, 1).map((text) => h("li", {}, T(text))),
      stops.slice(0, 8).map(([how, other, op, text, cost]) =>
        h("li", {}, `${how} `, other >= 0 ? to("launch", other) : T(op), `: ${T(text)}. It costs ${bytes(cost)}.`))));
}

/** Why what was chosen first and what is chosen now are not one kernel. */
function together(thing) {
  const first = state.pinned;
  if (!first) return null;
  const name = () => to(first.type, first.id);
  if (first.type === thing.type && first.id === thing.id) return h("section", { class: "card" }, "Choose something else: why it is not one kernel with this will stand here.");
  const pairs = [];
  for (const a of related(first).launch) for (const b of state.found.launch) pairs.push([a, b]);
  const shared = pairs.find(([a, b]) => a === b);
  const section = (...kids) => h("section", { class: "card together" }, h("h3", {}, "With ", name()), kids);
  if (!pairs.length) return section(h("p", {}, "One of them is in no kernel: a pass removed it, or it only renames memory."));
  if (shared) return section(h("p", {}, "They are one kernel: ", to("launch", shared[0]), "."));
  const stops = pairs.flatMap(([a, b]) => [[a, b], [b, a]]).flatMap(([from, into]) => launches[from].stops.filter(([reader]) => reader === into).map(([, , why, cost]) => ({ from, into, why, cost })));
  if (stops.length)
    return section(h("ul", { class: "why" }, stops.slice(0, 6).map((stop) =>
      h("li", {}, to("launch", stop.into), " reads ", to("launch", stop.from), `: ${T(stop.why)}. It costs ${bytes(stop.cost)}.`))));
  const way = pairs.flatMap(([a, b]) => [[a, b], [b, a]]).map(([from, into]) => between(from, into)).filter(Boolean).sort((a, b) => a.length - b.length)[0];
  if (!way) return section(h("p", {}, "Nothing flows from one to the other. Such kernels are joined only where they read the same tensors and go over the same elements, or are launched together."));
  return section(h("p", {}, "What flows from one to the other goes through other kernels, each of them apart:"),
    h("ol", { class: "why" }, way.slice(1).map((into, n) => {
      const stop = launches[way[n]].stops.find(([reader]) => reader === into);
      return h("li", {}, to("launch", into), stop ? ` reads the one before it: ${T(stop[2])}.` : " reads the one before it.");
    })));
}

/** The shortest way by which results of one launch reach another: launches, both ends included. */
function between(from, into) {
  const before = new Map([[into, null]]);
  let edge = [into];
  while (edge.length && !before.has(from)) {
    const next = [];
    for (const launch of edge) {
      for (const v of row.inputs(launches[launch].row)) {
        const maker = M.launchOf.get(v);
        if (maker !== undefined && !before.has(maker)) {
          before.set(maker, launch);
          next.push(maker);
        }
      }
    }
    edge = next;
  }
  if (!before.has(from)) return null;
  const way = [from];
  while (way.at(-1) !== into) way.push(before.get(way.at(-1)));
  return way;
}

function inspector(root) {
  const body = h("div", { class: "body" });
  const title = h("h2", { id: "chosen", "aria-live": "polite" });
  root.append(title, body);
  listeners.push(() => {
    const thing = state.thing;
    body.replaceChildren();
    title.textContent = "";
    root.classList.toggle("empty", !thing);
    if (!thing) {
      title.textContent = "Nothing is selected";
      body.append(h("p", { class: "quiet" }, "Choose a line, an op, a kernel, a tensor or a bar: all that belongs to it is marked everywhere, and named here."));
      return;
    }
    title.append(`${thing.type} `, h("bdi", {}, nameOf[thing.type](thing.id)));
    const found = state.found;
    const others = (type) => found[type].filter((id) => type !== thing.type || id !== thing.id);
    body.append(...[
      h("p", { class: "actions" },
        h("button", { type: "button", on: { click: () => go({ tab: "graph" }) } }, "Show in graph"),
        h("button", { type: "button", title: "Choose something else then, to see why the two are not one kernel", on: { click: () => go({ pinned: thing }) } }, "Compare with …"),
        h("button", { type: "button", on: { click: () => go({ thing: null, pinned: null }) } }, "Clear")),
      together(thing),
      facts[thing.type](thing.id).flat(),
      group("Kernels", "kernel", others("kernel")),
      group("Source lines", "line", others("line").sort((a, b) => timeOf(b) - timeOf(a))),
      group("Tensors", "tensor", others("tensor").sort((a, b) => tensors[b][4] - tensors[a][4]), 6),
      group("Dispatches", "dispatch", others("dispatch"), 6),
      group("Ops", "op", others("op")),
    ].flat().filter(Boolean));
    body.scrollTop = 0;
    mark(body);
  });
}

const timeOf = (line) => (M.lineCost[line] ? M.lineCost[line][profiled ? "seconds" : "bytes"] : 0);
