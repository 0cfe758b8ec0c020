// format.js: reads and checks the files of a program (docs/program.md); runtime.js runs what comes out.

const FORMAT = "graphc program";
const VERSION = 1;
const PACKED = "kernels.gzip";
const FILES = ["program.json", "kernels.wgsl", "arrays.safetensors"];
const HEAD = "//// kernel ";
export const VECTOR = 16; // bytes that kernels read and write at once
const STORED = { F32: "f32", F16: "f16", I32: "i32", U32: "u32", BOOL: "bool" };
const Half = globalThis.Float16Array ?? Uint16Array;
export const KINDS = {
  f32: { array: Float32Array, bytes: 4 },
  i32: { array: Int32Array, bytes: 4 },
  u32: { array: Uint32Array, bytes: 4 },
  f16: { array: Half, bytes: 2 },
  bool: { array: Uint8Array, bytes: 4 }, // one byte in JavaScript, a word on the device
};

/** A program that is damaged, of another version, used wrongly, or that this device cannot run. */
export class ProgramError extends Error {
  name = "ProgramError";
}

export const fail = (message) => {
  throw new ProgramError(message);
};

// ---- Reading: every field is checked against the others, as graphc.load_program does.

/** A value of the document and where it stands. */
class At {
  constructor(value, where) {
    this.value = value;
    this.where = where;
  }
  wrong(needed) {
    return fail(`${this.where} is ${String(JSON.stringify(this.value)).slice(0, 57)}: it must be ${needed}`);
  }
  object(...keys) {
    const found = this.entries();
    const same = Object.keys(found).length === keys.length && keys.every((key) => Object.hasOwn(found, key));
    return same ? found : this.wrong(`an object with ${keys.join(", ")}`);
  }
  entries() {
    const plain = this.value !== null && typeof this.value === "object" && !Array.isArray(this.value);
    if (!plain) this.wrong("an object");
    return Object.fromEntries(Object.entries(this.value).map(([k, v]) => [k, new At(v, `${this.where}.${k}`)]));
  }
  list(count = null) {
    const right = Array.isArray(this.value) && (count === null || this.value.length === count);
    if (!right) this.wrong(count === null ? "a list" : `a list of ${count}`);
    return this.value.map((item, n) => new At(item, `${this.where}[${n}]`));
  }
  each(read) {
    return this.list().map(read);
  }
  text() {
    return typeof this.value === "string" ? this.value : this.wrong("a text");
  }
  flag() {
    return typeof this.value === "boolean" ? this.value : this.wrong("true or false");
  }
  whole(low = 0, high = Number.MAX_SAFE_INTEGER) {
    const right = Number.isInteger(this.value) && this.value >= low && this.value <= high;
    return right ? this.value : this.wrong(`a whole number from ${low} to ${high}`);
  }
  index(count) {
    return count ? this.whole(0, count - 1) : this.wrong("absent, for it points into an empty list");
  }
  oneOf(...allowed) {
    return allowed.includes(this.value) ? this.value : this.wrong(`one of ${allowed.join(", ")}`);
  }
}

export const product = (shape) => shape.reduce((a, b) => a * b, 1);
const dtypeOf = (at) => at.oneOf(...Object.keys(KINDS));

function readLeaf(at) {
  const raw = at.object("name", "shape", "dtype", "donated", "axis");
  const axis = raw.axis.value === null ? null : raw.axis.whole();
  const shape = raw.shape.each((item) => item.whole());
  return { name: raw.name.text(), shape, dtype: dtypeOf(raw.dtype), donated: raw.donated.flag(), axis };
}

function readTree(at, depth = 0) {
  if (at.value === null || at.value === "*") return at.value;
  if (depth > 100) at.wrong("a tree of at most 100 levels");
  const kind = at.entries().kind?.value;
  const more = { record: ["name"], dict: ["order"] };
  const raw = at.object("kind", "keys", "items", ...(more[kind] ?? []));
  raw.kind.oneOf("dict", "list", "tuple", "record");
  if (kind === "record") raw.name.text();
  const items = raw.items.each((item) => readTree(item, depth + 1));
  const keys = raw.keys.list(items.length).map((key) => (Number.isInteger(key.value) ? key.value : key.text()));
  if (new Set(keys.map((key) => `${typeof key} ${key}`)).size < keys.length) raw.keys.wrong("keys that differ");
  const list = kind === "list" || kind === "tuple";
  if (list && keys.some((key, n) => key !== n)) raw.keys.wrong("the numbers from 0 on");
  const order = kind === "dict" ? raw.order.each((key) => key.value) : keys;
  const shown = (list) => list.map((key) => `${typeof key} ${key}`).sort().join();
  if (shown(order) !== shown(keys)) raw.order.wrong("the keys, in some order");
  return { kind, keys, items, order };
}

export const leavesIn = (tree) => (tree === null ? 0 : tree === "*" ? 1 : tree.items.reduce((n, t) => n + leavesIn(t), 0));

function readTensor(at, buffers) {
  const [name, shape, dtype, buffer, offset, nbytes, start, end, alias] = at.list(9);
  const sizes = shape.each((item) => item.whole());
  const kind = dtypeOf(dtype);
  const need = product(sizes) * KINDS[kind].bytes;
  const home = buffers[buffer.index(buffers.length)];
  if (nbytes.whole() !== need) nbytes.wrong(`${need} bytes`);
  if (offset.whole() + need > home.nbytes) offset.wrong(`inside of buffer ${home.name}`);
  end.whole(start.whole());
  if (alias.value !== null) alias.text();
  return { name: name.text(), shape: sizes, dtype: kind, buffer: buffer.value, offset: offset.value, nbytes: need };
}

function readWindow(at, access, buffers, tensors, textures) {
  const [tensor, buffer, offset, nbytes, texture] = at.list(5);
  const home = buffers[buffer.index(buffers.length)];
  tensor.whole(-1, tensors.length - 1);
  if (access === "texture") texture.index(textures.length);
  else if (texture.value !== -1) texture.wrong("-1, for the kernel reads a buffer there");
  if (nbytes.whole(access === "texture" ? 0 : 1) + offset.whole() > home.nbytes) at.wrong("a window inside of its buffer");
  if (offset.value % 256) offset.wrong("a multiple of 256");
  const place = { buffer: buffer.value, offset: offset.value, nbytes: nbytes.value, texture: texture.value };
  return { ...place, tensor: tensor.value, written: access === "read_write" };
}

/** The place of a tensor that is filled with zeros before a dispatch: whole vectors. */
function readClear(at, bindings, tensors) {
  const tensor = tensors[at.index(tensors.length)];
  if (!bindings.some((b) => b.written && b.tensor === at.value)) at.wrong("a tensor that the dispatch writes");
  const nbytes = Math.max(VECTOR, Math.ceil(tensor.nbytes / VECTOR) * VECTOR);
  return { buffer: tensor.buffer, offset: tensor.offset, nbytes };
}

function readCopy(at, buffers, tensors, textures) {
  const [tensor, buffer, offset, texture] = at.list(4);
  const home = buffers[buffer.index(buffers.length)];
  const drawn = textures[texture.index(textures.length)];
  tensor.index(tensors.length);
  if (offset.whole() + drawn.width * drawn.height * VECTOR > home.nbytes) offset.wrong(`inside of buffer ${home.name}`);
  return { buffer: buffer.value, offset: offset.value, texture: texture.value };
}

function readLoops(at, count) {
  const loops = at.each((item) => {
    const [first, last, times] = item.list(3);
    return { first: first.index(count), last: last.whole(first.value, count - 1), times: times.whole(1) };
  });
  loops.forEach((loop, n) => {
    for (const other of loops.slice(0, n)) {
      const apart = other.last < loop.first || loop.last < other.first;
      const inside = loop.first <= other.first && other.last <= loop.last;
      if (!apart && !inside) at.wrong("loops that lie apart or in each other, inner ones first");
    }
  });
  return loops;
}

function readFunction(name, at, kernels, arrays) {
  const raw = at.object(
    ...["parameters", "arguments", "results", "in_tree", "out_tree", "requires", "buffers", "tensors", "textures"],
    ...["dispatches", "loops", "inputs", "outputs", "constants", "arrays", "donated", "checks", "memory"],
  );
  const [args, results] = [raw.arguments.each(readLeaf), raw.results.each(readLeaf)];
  const [inTree, outTree] = [readTree(raw.in_tree), readTree(raw.out_tree)];
  if (leavesIn(inTree) !== args.length) raw.in_tree.wrong(`a tree of ${args.length} leaves`);
  if (leavesIn(outTree) !== results.length) raw.out_tree.wrong(`a tree of ${results.length} leaves`);
  const parameters = raw.parameters.each((item) => item.text());
  const kinds = [inTree, ...(inTree?.items ?? [])].map((tree) => tree?.kind);
  if (String(kinds) !== "tuple,tuple,dict") raw.in_tree.wrong("a pair: a tuple, and a dict");
  if (inTree.items[0].items.length !== parameters.length) raw.parameters.wrong("a name for each positional argument");
  const counts = { input: args.length, output: results.length, constant: raw.constants.list().length, arena: Infinity, faults: 1 };
  const buffers = raw.buffers.each((item) => {
    const [label, kind, nbytes, slot] = item.list(4);
    kind.oneOf("input", "output", "constant", "arena", "faults");
    if (slot.whole() >= counts[kind.value]) slot.wrong(`below ${counts[kind.value]}`);
    return { name: label.text(), kind: kind.value, nbytes: nbytes.whole(), slot: slot.value };
  });
  const checks = raw.checks.each((item) => {
    const [what, low, high, signed, line] = item.list(5);
    const ends = [low.whole(-(2 ** 31), 2 ** 32), high.whole(-1, 2 ** 32)];
    return { what: what.text(), low: ends[0], high: ends[1], signed: signed.flag(), at: line.text() };
  });
  const faults = buffers.filter((b) => b.kind === "faults");
  const room = faults.every((b) => b.nbytes >= 4 * checks.length);
  if (faults.length !== (checks.length ? 1 : 0) || !room) raw.buffers.wrong("with one buffer for the faults of its checks");
  const tensors = raw.tensors.each((item) => readTensor(item, buffers));
  const textures = raw.textures.each((item) => {
    const [label, width, height] = item.list(3);
    return { name: label.text(), width: width.whole(1, 65536), height: height.whole(1, 65536) };
  });
  const dispatches = raw.dispatches.each((item) => {
    const d = item.object("kernel", "label", "lines", "phase", "workgroups", "bindings", "copies", "clears", "work");
    const kernel = d.kernel.index(kernels.length);
    const access = kernels[kernel].access;
    const windows = d.bindings.list(access.length);
    const bindings = windows.map((window, n) => readWindow(window, access[n], buffers, tensors, textures));
    d.lines.each((line) => line.text());
    d.work.list(3).forEach((n) => n.whole());
    d.phase.text();
    return {
      kernel,
      label: d.label.text(),
      workgroups: d.workgroups.list(3).map((n) => n.whole(1, 65535)),
      bindings,
      copies: d.copies.each((copy) => readCopy(copy, buffers, tensors, textures)),
      clears: d.clears.each((item) => readClear(item, bindings, tensors)),
    };
  });
  const slots = (list, leaves) =>
    list.list(leaves.length).map((item, n) => {
      const tensor = tensors[item.index(tensors.length)];
      const same = tensor.dtype === leaves[n].dtype && String(tensor.shape) === String(leaves[n].shape);
      return same ? item.value : item.wrong(`a tensor of the type of ${leaves[n].name}`);
    });
  const constants = raw.constants.each((item) => item.index(tensors.length));
  const names = raw.arrays.list(constants.length).map((item, n) => {
    const [array, tensor] = [arrays[item.text()], tensors[constants[n]]];
    const same = array && array.dtype === tensor.dtype && String(array.shape) === String(tensor.shape);
    return same ? item.value : item.wrong(`an array of the type of constant ${n}`);
  });
  const donated = raw.donated.each((item) => {
    const [given, taken] = item.list(2);
    if (!args[given.index(args.length)].donated) given.wrong("an argument that is donated");
    return [given.value, taken.index(results.length)];
  });
  Object.values(raw.memory.entries()).forEach((item) => item.whole());
  const needs = raw.requires.object("limits", "features", "subgroup", "software");
  const limits = Object.fromEntries(Object.entries(needs.limits.entries()).map(([k, v]) => [k, v.whole()]));
  const features = needs.features.each((item) => item.text());
  const used = new Set(dispatches.flatMap((d) => kernels[d.kernel].needs));
  if (features.length !== used.size || !features.every((f) => used.has(f))) {
    needs.features.wrong("the features that its kernels need");
  }
  return {
    ...{ name, parameters, args, results, inTree, outTree, buffers, tensors, textures, dispatches, names, donated, checks },
    inputs: slots(raw.inputs, args),
    outputs: slots(raw.outputs, results),
    loops: readLoops(raw.loops, dispatches.length),
    memory: raw.memory.value,
    requires: { limits, features, subgroup: needs.subgroup.whole(0, 128), software: needs.software.flag() },
  };
}

/** The kernels' texts out of the file that holds them all. */
function readKernels(text) {
  const parts = `\n${text}`.split(`\n${HEAD}`);
  if (parts[0].trim()) fail("kernels.wgsl begins with something else than a kernel");
  return parts.slice(1).map((part, n) => {
    const end = part.indexOf("\n");
    if (!part.startsWith(`${n}: `) || end < 0) fail(`kernels.wgsl: kernel ${n} is missing`);
    return part.slice(end + 1);
  });
}

/** The header of a safetensors file, and how many bytes it has. */
function readHead(buffer, what) {
  const head = buffer.byteLength >= 8 ? Number(new DataView(buffer).getBigUint64(0, true)) : Infinity;
  if (head > buffer.byteLength - 8) fail(`${what} is cut short`);
  return { head, header: parse(new TextDecoder().decode(new Uint8Array(buffer, 8, head)), what) };
}

/** The texts that go with the arrays of a safetensors file. */
export const readNotes = (buffer, what) => readHead(buffer, what).header.__metadata__ ?? {};

/** The arrays of a safetensors file: {name: {dtype, shape, data}}. Raises ProgramError unless they fill it. */
export function readArrays(buffer, what = "arrays.safetensors") {
  const { head, header } = readHead(buffer, what);
  const found = {};
  let end = 0;
  const entries = Object.entries(new At(header, what).entries()).filter(([name]) => name !== "__metadata__");
  const read = entries.map(([name, at]) => {
    const raw = at.object("dtype", "shape", "data_offsets");
    const dtype = STORED[raw.dtype.oneOf(...Object.keys(STORED))];
    const [first, last] = raw.data_offsets.list(2).map((n) => n.whole());
    return { name, dtype, shape: raw.shape.each((n) => n.whole()), first, last };
  });
  for (const { name, dtype, shape, first, last } of read.sort((a, b) => a.first - b.first || a.last - b.last)) {
    const Kind = KINDS[dtype].array;
    const right = first === end && last - first === product(shape) * Kind.BYTES_PER_ELEMENT;
    if (!right || 8 + head + last > buffer.byteLength) fail(`${what}: the place of ${name} does not fit its shape`);
    found[name] = { dtype, shape, data: new Kind(buffer.slice(8 + head + first, 8 + head + last)) };
    end = last;
  }
  if (8 + head + end !== buffer.byteLength) fail(`${what} has bytes that belong to no array`);
  return found;
}

/** A safetensors file of {name: {dtype, shape, data}}, as an ArrayBuffer. notes: texts that go with them. */
export function writeArrays(arrays, notes = {}) {
  const header = Object.keys(notes).length ? { __metadata__: notes } : {};
  let end = 0;
  const names = Object.keys(arrays).sort();
  for (const name of names) {
    const { dtype, shape, data } = arrays[name];
    const stored = Object.keys(STORED).find((key) => STORED[key] === dtype);
    header[name] = { dtype: stored, shape, data_offsets: [end, (end += data.byteLength)] };
  }
  let text = JSON.stringify(header);
  text += " ".repeat((8 - (new TextEncoder().encode(text).length % 8)) % 8);
  const head = new TextEncoder().encode(text);
  const out = new Uint8Array(8 + head.length + end);
  new DataView(out.buffer).setBigUint64(0, BigInt(head.length), true);
  out.set(head, 8);
  let at = 8 + head.length;
  for (const name of names) {
    const { data } = arrays[name];
    out.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), at);
    at += data.byteLength;
  }
  return out.buffer;
}

function parse(text, what) {
  try {
    return JSON.parse(text);
  } catch (error) {
    return fail(`${what} cannot be read: ${error.message}`);
  }
}

async function fetchFile(base, name) {
  const reply = await fetch(new URL(name, base)).catch((error) => fail(`${name} cannot be fetched: ${error.message}`));
  return reply.ok ? reply.arrayBuffer() : fail(`${name} cannot be fetched: ${reply.status} ${reply.statusText}`);
}

/** The document, kernels and arrays of the program at a URL, all of them checked. */
export async function read(url) {
  const base = new URL(url, globalThis.location?.href);
  if (!base.pathname.endsWith("/")) base.pathname += "/";
  const text = (bytes) => new TextDecoder().decode(bytes);
  const manifest = parse(text(await fetchFile(base, "manifest.json")), "manifest.json");
  if (manifest?.format !== FORMAT) fail(`manifest.json: this is no manifest of a ${FORMAT}`);
  if (manifest.version !== VERSION) fail(`it has version ${manifest.version}, and this runtime reads ${VERSION}`);
  const listed = new At(manifest, "manifest").object("format", "version", "files").files;
  const files = FILES.map((name, n) => (n === 1 && listed.value?.[PACKED] ? PACKED : name));
  const entries = listed.object(...files);
  const contents = await Promise.all(
    files.map(async (name) => {
      const entry = entries[name].object("bytes", "sha256");
      const bytes = await fetchFile(base, name);
      if (bytes.byteLength !== entry.bytes.value) fail(`${name} has ${bytes.byteLength} bytes, not ${entry.bytes.value}`);
      const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
      const hex = [...digest].map((byte) => byte.toString(16).padStart(2, "0")).join("");
      if (hex !== entry.sha256.value) fail(`${name} was changed: its checksum is not that of the manifest`);
      if (name !== PACKED) return bytes;
      const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
      return new Response(stream).arrayBuffer().catch((error) => fail(`${name} cannot be unpacked: ${error.message}`));
    }),
  );
  return check(parse(text(contents[0]), FILES[0]), readKernels(text(contents[1])), readArrays(contents[2]));
}

/** The structure of each argument by name, and its leaves. */
export function argumentsOf(f) {
  const [args, named] = f.inTree.items;
  const trees = [...args.items, ...named.items];
  let first = 0;
  return Object.fromEntries([...f.parameters, ...named.keys].map((name, n) => {
    const leaves = f.args.slice(first, (first += leavesIn(trees[n])));
    return [name, { tree: trees[n], leaves }];
  }));
}

/** Append the leaves of what was given, which must have this structure; `wrong` is told where it has not. */
export function match(tree, given, leaves, where, wrong) {
  if (tree === "*") return leaves.push(given);
  if (tree === null) return given === null || given === undefined || wrong(`null for ${where}`);
  const count = Array.isArray(given) ? given.length : given && typeof given === "object" ? Object.keys(given).length : -1;
  const same = count === tree.keys.length && tree.keys.every((key) => Object.hasOwn(given, key));
  if (!same) wrong(`an object with ${tree.keys.join(", ")} for ${where}`);
  return tree.keys.forEach((key, n) => match(tree.items[n], given[key], leaves, `${where}.${key}`, wrong));
}

/** What an argument of a function needs that a tree of names of arrays does not give; null: there is no such argument. */
function misfit(name, given, f, arrays) {
  const place = argumentsOf(f)[name];
  if (!place) return null;
  const found = [];
  try {
    match(place.tree, given, found, name, fail);
  } catch (error) {
    return error.message;
  }
  const type = (array) => `${array?.dtype}[${array?.shape}]`;
  const n = place.leaves.findIndex((leaf, k) => type(arrays[found[k]]) !== type(leaf));
  return n < 0 ? "" : `${type(place.leaves[n])} for ${place.leaves[n].name}`;
}

const SIGNATURE = ["parameters", "args", "results", "inTree", "outTree"];

/** The program of a document; raises ProgramError that names the field. */
export function check(raw, wgsl, arrays) {
  const top = new At(raw, "program").object("about", "kernels", "functions", "variants", "state");
  const kernels = top.kernels.list(wgsl.length).map((item, n) => {
    const k = item.object("name", "family", "access", "needs");
    k.family.text();
    const access = k.access.each((a) => a.oneOf("read", "read_write", "uniform", "texture"));
    return { name: k.name.text(), access, needs: k.needs.each((need) => need.text()), wgsl: wgsl[n] };
  });
  const functions = {};
  for (const [name, at] of Object.entries(top.functions.entries())) functions[name] = readFunction(name, at, kernels, arrays);
  if (!Object.keys(functions).length) top.functions.wrong("one function at least");
  const variants = {};
  for (const [name, at] of Object.entries(top.variants.entries())) {
    const f = functions[name] ?? at.wrong("absent, for there is no function of its name");
    const same = (other) => SIGNATURE.every((key) => JSON.stringify(other[key]) === JSON.stringify(f[key]));
    variants[name] = at.each((item) => {
      const other = readFunction(name, item, kernels, arrays);
      return same(other) ? other : item.wrong(`a function with the arguments and results of ${name}`);
    });
  }
  const names = (at) => (at.value === null ? null : Array.isArray(at.value) ? at.each(names) : nameOrMore(at));
  const nameOrMore = (at) => {
    if (typeof at.value === "string") return Object.hasOwn(arrays, at.value) ? at.value : at.wrong("the name of an array");
    return Object.fromEntries(Object.entries(at.entries()).map(([key, item]) => [key, names(item)]));
  };
  for (const [name, at] of Object.entries(top.state.entries())) {
    names(at);
    const found = Object.values(functions).map((f) => misfit(name, at.value, f, arrays)).filter((wrong) => wrong !== null);
    if (!found.length) at.wrong("absent, for no function has such an argument");
    if (!found.includes("")) at.wrong(found[0]);
  }
  return { about: top.about.entries() && raw.about, kernels, functions, variants, state: raw.state, arrays };
}

// ---- What follows from a document

/** What is said of a word that a range check left, 0 where all was well. */
export function problem({ what, low, high, signed, at }, word) {
  if (!word) return null;
  const bad = signed && word >= 2 ** 31 ? word - 2 ** 32 : word;
  const [op, name = "index"] = what.split(":");
  const where = low === -high - 1 ? `for an axis of ${high + 1}` : `: need ${low} <= ${name} < ${high + 1}`;
  return `${op}: ${name} ${bad} is out of range${where.startsWith(":") ? where : ` ${where}`}${at}`;
}

/** How each result gets its bytes: a kernel writes its buffer, or they are copied from where they lie. */
export function routes(f) {
  const pairs = new Set(f.donated.map(String));
  return f.outputs.map((number, slot) => {
    const tensor = f.tensors[number];
    const home = f.buffers[tensor.buffer];
    const own = home.kind === "output" ? home.slot === slot : home.kind === "input" && pairs.has(`${home.slot},${slot}`);
    return own && tensor.offset === 0 ? { buffer: tensor.buffer, kind: home.kind } : { copy: tensor };
  });
}

/** The numbers of the dispatches in the order in which they run. */
export function sequence(f) {
  let order = f.dispatches.map((_, n) => n);
  let start = [...order];
  for (const { first, last, times } of f.loops) {
    const [from, to] = [start[first], last + 1 < start.length ? start[last + 1] : order.length];
    const body = order.slice(from, to);
    order = [...order.slice(0, from), ...Array(times).fill(body).flat(), ...order.slice(to)];
    start = start.map((at, n) => (n > last ? at + body.length * (times - 1) : at));
  }
  return order;
}
