// model: what belongs together. A thing is {type, id}; types are line, op, launch, kernel, dispatch and tensor.
// An op is known by the number of its first result, which it keeps from pass to pass.

const row = {
  op: (r) => T(D.rows[r][0]),
  inputs: (r) => D.rows[r][1],
  outputs: (r) => D.rows[r][2],
  attrs: (r) => T(D.rows[r][3]),
  source: (r) => D.sources[D.rows[r][4]],
  lines: (r) => D.sources[D.rows[r][4]][0],
  phase: (r) => T(D.sources[D.rows[r][4]][1]),
  scope: (r) => T(D.sources[D.rows[r][4]][2]),
  kind: (r) => D.kinds[D.rows[r][5]][0],
  colour: (r) => D.kinds[D.rows[r][5]][1],
  body: (r) => D.rows[r][6],
  loop: (r) => D.rows[r][6] && T(D.rows[r][0]) !== "fused",
};

const M = {
  rowOf: new Map(), // op -> its row in the last stage that has it
  born: new Map(), // op -> stage
  died: new Map(), // op -> [stage, what its readers read instead or -1]
  launchOf: new Map(), // value -> launch
  opsOfLine: [],
  opsOfLaunch: [],
  dispatchesOfLaunch: [],
  dispatchesOfKernel: [],
  parts: [], // part -> [dispatch, launch]
  firstPart: [],
  tensorsOfValue: new Map(),
  lifeOf: new Map(), // tensor -> lifetime
  readers: [],
  writers: [],
  share: new Map(), // op -> {seconds, bytes, flops}
  lineCost: [],
  names: new Map(), // value -> name
};

const tensors = D.tensors || [];
const launches = D.launches || [];
const dispatches = D.dispatches || [];
const kernels = D.kernels || [];
const lifetimes = D.lifetimes || [];
const profiled = Boolean(D.profile && D.profile.stamped);

function* leaves(rows) {
  for (const r of rows) {
    const body = row.body(r);
    if (!body || row.loop(r)) yield r;
    if (body) yield* leaves(body[0]);
  }
}

function push(map, key, value) {
  const found = map[key];
  if (found) found.push(value);
  else map[key] = [value];
}

function index() {
  for (const [name, , , , value] of D.arguments || []) M.names.set(value, T(name));
  for (const [value, text] of Object.entries(D.constants)) M.names.set(Number(value), text);
  D.stages.forEach((stage, n) => {
    if (n === 0) for (const r of leaves(stage.rows)) born(r, 0);
    const changes = stage.changes;
    if (!changes) return;
    for (const [r, instead] of changes.gone) M.died.set(row.outputs(r)[0], [n, instead]);
    for (const r of changes.came) born(r, n);
    for (const [, r] of changes.others) if (!row.body(r) || row.loop(r)) M.rowOf.set(row.outputs(r)[0], r);
  });
  M.rowOf.forEach((r, op) => row.lines(r).forEach((line) => push(M.opsOfLine, line, op)));
  launches.forEach((launch, n) => {
    M.opsOfLaunch[n] = [];
    for (const r of leaves([launch.row])) {
      M.opsOfLaunch[n].push(row.outputs(r)[0]);
      if (!M.rowOf.has(row.outputs(r)[0])) born(r, D.stages.length - 1);
    }
    const inside = [launch.row, ...leaves([launch.row])];
    for (const r of inside) for (const v of row.outputs(r)) if (!M.launchOf.has(v)) M.launchOf.set(v, n);
  });
  tensors.forEach((tensor, n) => {
    if (tensor[7] < 0) return;
    const found = M.tensorsOfValue.get(tensor[7]);
    if (found) found.push(n);
    else M.tensorsOfValue.set(tensor[7], [n]);
  });
  lifetimes.forEach((life, n) => [life[0], ...life[6]].forEach((tensor) => M.lifeOf.set(tensor, n)));
  dispatches.forEach((dispatch, n) => {
    push(M.dispatchesOfKernel, dispatch.kernel, n);
    M.firstPart[n] = M.parts.length;
    for (const [launch, bound] of dispatch.parts) {
      M.parts.push([n, launch]);
      if (launch >= 0 && !(M.dispatchesOfLaunch[launch] || []).includes(n)) push(M.dispatchesOfLaunch, launch, n);
      for (const [tensor, writes] of bound) push(writes ? M.writers : M.readers, tensor, n);
    }
  });
  for (const [r, time, moved, flops] of D.shares || []) {
    const op = row.outputs(r)[0];
    M.share.set(op, { seconds: time, bytes: moved, flops });
    const lines = row.lines(r);
    for (const line of lines) {
      const cost = (M.lineCost[line] = M.lineCost[line] || { seconds: 0, bytes: 0, flops: 0, launches: new Set() });
      cost.seconds += time / lines.length;
      cost.bytes += moved / lines.length;
      cost.flops += flops / lines.length;
      if (M.launchOf.has(op)) cost.launches.add(M.launchOf.get(op));
    }
  }
}

function born(r, stage) {
  const op = row.outputs(r)[0];
  if (!M.born.has(op)) M.born.set(op, stage);
  M.rowOf.set(op, r);
}

const valueName = (v) => M.names.get(v) || `%${v}`;
const lineName = (line) => `${D.files[D.lines[line][0]].name}:${D.lines[line][1]}`;
const stageName = (n) => T(D.stages[n].name);

function opText(r) {
  const outs = row.outputs(r).map((v) => `${valueName(v)}: ${T(D.types[v])}`).join(", ");
  const attrs = row.attrs(r);
  return `${outs} = ${row.op(r)}(${row.inputs(r).map(valueName).join(", ")}${attrs ? `, ${attrs}` : ""})`;
}

const opName = (op) => `${row.op(M.rowOf.get(op))} ${valueName(op)}`;

function launchName(n) {
  const where = (M.dispatchesOfLaunch[n] || [])[0];
  if (where === undefined) return `no kernel: ${opName(M.opsOfLaunch[n][0])}`;
  return short(T(dispatches[where].parts.find((part) => part[0] === n)[2]), 60);
}

const launchColour = (n) => row.colour(launches[n].row);
const short = (text, most) => (text.length > most ? `${text.slice(0, most - 1)}…` : text);
const kernelName = (n) => T(kernels[n].name);

/** What a tensor is called: an argument or result by its path, others as the plan does. */
function tensorName(n) {
  const buffer = D.buffers[tensors[n][2]];
  if (buffer[1] === "input") return T(D.arguments[buffer[3]][0]);
  if (buffer[1] === "output") return T(D.results[buffer[3]][0]);
  return T(tensors[n][0]);
}

/** The op that computed what lies in a tensor: what is behind views. */
function originOp(v) {
  for (let turns = 0; turns < 64; turns++) {
    const r = M.rowOf.get(v);
    if (r === undefined) return undefined;
    if (row.kind(r) !== "view" || !M.rowOf.has(row.inputs(r)[0])) return v;
    v = row.inputs(r)[0];
  }
  return v;
}

/** The launch that fills a tensor first; -1 for arguments, constants and copies. */
function makerOf(n) {
  const first = (M.writers[n] || [])[0];
  if (first === undefined) return -1;
  const part = dispatches[first].parts.find((p) => p[1].some(([t, writes]) => t === n && writes));
  return part ? part[0] : -1;
}

function opsOfTensor(n) {
  const made = tensors[n][7] >= 0 ? originOp(tensors[n][7]) : undefined;
  if (made !== undefined) return [made];
  const maker = makerOf(n);
  return maker >= 0 ? M.opsOfLaunch[maker] : [];
}

const linesOfOp = (op) => row.lines(M.rowOf.get(op));
const flatMap = (items, of) => [...new Set([...items].flatMap(of))];

/** Everything that belongs to a thing, itself included: ids by type. */
function related(thing) {
  const found = { line: [], op: [], launch: [], kernel: [], dispatch: [], tensor: [] };
  if (!thing) return found;
  const { type, id } = thing;
  if (type === "line") found.op = M.opsOfLine[id] || [];
  if (type === "op") found.op = [id];
  if (type === "launch") found.launch = [id];
  if (type === "dispatch") found.dispatch = [id];
  if (type === "kernel") found.dispatch = M.dispatchesOfKernel[id] || [];
  if (type === "tensor") found.op = opsOfTensor(id);
  if (found.op.length) found.launch = flatMap(found.op, (op) => (M.launchOf.has(op) ? [M.launchOf.get(op)] : []));
  if (found.dispatch.length) found.launch = flatMap(found.dispatch, (d) => dispatches[d].parts.map((p) => p[0]).filter((l) => l >= 0));
  else found.dispatch = flatMap(found.launch, (l) => M.dispatchesOfLaunch[l] || []);
  if (!found.op.length) found.op = flatMap(found.launch, (l) => M.opsOfLaunch[l]);
  found.kernel = type === "kernel" ? [id] : flatMap(found.dispatch, (d) => [dispatches[d].kernel]);
  found.line = type === "line" ? [id] : flatMap(found.op, linesOfOp);
  if (type === "tensor") found.tensor = [id];
  else if (type === "line" || type === "op") found.tensor = flatMap(found.op, (op) => flatMap(row.outputs(M.rowOf.get(op)), (v) => M.tensorsOfValue.get(v) || []));
  else found.tensor = flatMap(found.dispatch, (d) => dispatches[d].parts.flatMap((p) => p[1].map(([t]) => t)));
  return found;
}

/** What a launch costs: all that its ops do. Of a dispatch that runs several, its part. */
function launchCost(launch) {
  const total = { seconds: 0, bytes: 0, flops: 0 };
  for (const op of M.opsOfLaunch[launch]) for (const key of Object.keys(total)) total[key] += M.share.has(op) ? M.share.get(op)[key] : 0;
  return total;
}

/** What of a device's best a dispatch reached: the greater of its two rates beside what is most. */
function rates(list) {
  const total = { seconds: 0, bytes: 0, flops: 0 };
  for (const d of list) {
    const one = dispatches[d];
    const times = one.times || 1;
    total.seconds += one.seconds || 0;
    total.bytes += (one.read + one.written) * times;
    total.flops += one.flops * times;
  }
  return total;
}

const PEAKS = (() => {
  if (D.peaks) return { flops: D.peaks[0], bytes: D.peaks[1], measured: true };
  const best = { flops: 0, bytes: 0, measured: false };
  for (const d of profiled ? dispatches : []) {
    if (!d.seconds) continue;
    best.flops = Math.max(best.flops, (d.flops * d.times) / d.seconds);
    best.bytes = Math.max(best.bytes, ((d.read + d.written) * d.times) / d.seconds);
  }
  return best;
})();

function reached(total) {
  if (!total.seconds || !PEAKS.flops || !PEAKS.bytes) return NaN;
  return Math.max(total.flops / PEAKS.flops, total.bytes / PEAKS.bytes) / total.seconds;
}

index();
