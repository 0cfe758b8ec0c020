// runtime.js: runs exported programs on WebGPU. docs/program.md describes the files.
//
//   const program = await load("./model/");            // the folder with manifest.json
//   const { loss } = await program.step({ x, y });      // typed arrays in, typed arrays out
//
// Buffers, pipelines and bind groups are made once; a call submits once. Arguments that it does not name come from
// `program.state`, and results that take the place of donated ones go back there.

import { argumentsOf, check, fail, KINDS, leavesIn, match, problem, product, ProgramError } from "./format.js";
import { read, readArrays, readNotes, routes, sequence, VECTOR, writeArrays } from "./format.js";

export { check, ProgramError, readArrays, writeArrays };

const USAGE = { storage: 0x80 | 0x40 | 0x8 | 0x4, staging: 0x1 | 0x8, texture: 0x2 | 0x8, compute: 0x4 };
const padded = (nbytes) => Math.max(256, Math.ceil(nbytes / 256) * 256);
const word = (nbytes) => Math.ceil(nbytes / 4) * 4;

/**
 * An array on the device; a donated one is gone once a call has taken it over.
 * faults: a promise of what was wrong with the indices of the call that computed it, or of one before; null: nothing.
 */
export class Tensor {
  constructor(owner, buffer, shape, dtype) {
    Object.assign(this, { owner, buffer, shape, dtype, faults: null });
  }
  get nbytes() {
    return product(this.shape) * KINDS[this.dtype].bytes;
  }
  /** Its elements as a typed array, row after row. */
  async read() {
    return (await this.owner.read([this]))[0];
  }
  drop() {
    if (this.buffer) this.owner.give(this.buffer);
    this.buffer = null;
  }
}

/** Typed arrays for the Tensors of a tree: what is on the device, on the host. */
export async function toHost(tree) {
  const leaves = [];
  walk(tree, (leaf) => leaves.push(leaf));
  const arrays = leaves.length ? await leaves[0].owner.read(leaves) : [];
  return walk(tree, () => arrays.shift());
}

/** A tree with `fn` of each leaf: anything that is no list, no plain object and not null. */
function walk(tree, fn) {
  if (tree === null) return null;
  if (Array.isArray(tree)) return tree.map((item) => walk(item, fn));
  if (tree?.constructor !== Object) return fn(tree);
  return Object.fromEntries(Object.entries(tree).map(([key, item]) => [key, walk(item, fn)]));
}

function build(tree, leaves) {
  if (tree === "*") return leaves.shift();
  if (tree === null) return null;
  const items = tree.items.map((item) => build(item, leaves));
  if (tree.kind === "list" || tree.kind === "tuple") return items;
  return Object.fromEntries(tree.order.map((key) => [key, items[tree.keys.indexOf(key)]]));
}

/** Whether a list of lists has this shape. */
const fits = (item, shape) =>
  Array.isArray(item) ? item.length === shape[0] && item.every((x) => fits(x, shape.slice(1))) : !shape.length;

/** Elements as they lie on the device: typed arrays, plain lists (of lists) and numbers are taken. */
function stored(given, leaf) {
  const { name, shape, dtype, axis } = leaf;
  const Kind = KINDS[dtype].array;
  const flat = ArrayBuffer.isView(given) ? given : Array.isArray(given) ? given.flat(Infinity) : [given];
  if (flat.length !== product(shape)) {
    fail(`argument ${name} has ${flat.length ?? "no"} elements: it must have ${product(shape)}, [${shape}]`);
  }
  const nested = Array.isArray(given) && given.some(Array.isArray);
  if (nested && !fits(given, shape)) fail(`argument ${name} is a list of lists: its shape must be [${shape}]`);
  const kinds = new Set(Array.from(flat === given ? flat.subarray(0, 1) : flat, (x) => typeof x));
  const odd = [...kinds].find((kind) => kind !== "number" && kind !== "boolean");
  if (odd) fail(`argument ${name} holds a value of type ${odd}: it must hold numbers`);
  if (!(given instanceof Kind)) {
    const [low, high] = RANGES[dtype] ?? [];
    const whole = (x) => Number.isInteger(x) && x >= low && x <= high;
    if (low !== undefined && !flat.every(whole)) fail(`argument ${name} must hold whole numbers, from ${low} to ${high}`);
    if (Kind === Uint16Array) fail(`argument ${name} is f16, and this browser has no Float16Array: give a Uint16Array of bits`);
  }
  const out = axis === null ? undefined : flat.find((i) => i < -axis || i >= axis);
  if (out !== undefined) fail(`argument ${name}: index ${out} is out of range for an axis of ${axis}`);
  if (dtype === "bool") return Uint32Array.from(flat, (x) => (x ? 1 : 0));
  return given instanceof Kind ? given : Kind.from(flat);
}

const RANGES = { i32: [-(2 ** 31), 2 ** 31 - 1], u32: [0, 2 ** 32 - 1] };

/** What an adapter lacks that a function requires; null: nothing. */
function lack({ requires }, { limits, features, info }) {
  for (const [limit, need] of Object.entries(requires.limits)) {
    if (limits[limit] < need) return `${limit} ${need}, and this adapter has ${limits[limit]}`;
  }
  const missing = requires.features.map(featureOf).find((feature) => !features.has(feature));
  if (missing) return `the feature ${missing}, which this adapter lacks`;
  if (requires.software && !info?.isFallbackAdapter) return "a software adapter";
  const [lanes, low, high] = [requires.subgroup, info?.subgroupMinSize, info?.subgroupMaxSize];
  return !lanes || (low === lanes && high === lanes) ? null : `subgroups of ${lanes} lanes, and here they have ${low} to ${high}`;
}

const featureOf = (need) => (need === "subgroup" ? "subgroups" : need);

/** Each function, or the first of its variants for which the adapter lacks nothing. */
function choose({ functions, variants }, adapter) {
  const found = {};
  for (const [name, f] of Object.entries(functions)) {
    found[name] = variants[name]?.find((other) => lack(other, adapter) === null) ?? f;
    const missing = lack(found[name], adapter);
    if (missing) fail(`${name} needs ${missing}`);
  }
  return found;
}

/** The adapter; raises ProgramError that says what would help where there is none. */
async function findAdapter() {
  const away = "this page has no WebGPU, for it comes neither over https nor from localhost";
  const none = "this browser has no WebGPU: a recent Chrome, Edge, Safari or Firefox has";
  const gpu = globalThis.navigator?.gpu ?? fail(globalThis.isSecureContext === false ? away : none);
  return (await gpu.requestAdapter()) ?? fail("WebGPU finds no adapter here: is the graphics driver too old?");
}

/** One device, its buffers and pipelines. */
class Device {
  /** A device for functions that the adapter can run. */
  static async open(adapter, functions) {
    const requiredLimits = {};
    const requiredFeatures = new Set();
    for (const { requires } of functions) {
      for (const [limit, need] of Object.entries(requires.limits)) {
        if (adapter.limits[limit] === undefined) continue;
        requiredLimits[limit] = Math.max(need, requiredLimits[limit] ?? 0); // a device has its default at least
      }
      requires.features.forEach((need) => requiredFeatures.add(featureOf(need)));
    }
    const handle = await adapter.requestDevice({ requiredLimits, requiredFeatures: [...requiredFeatures] });
    return new Device(handle, adapter);
  }
  constructor(handle, adapter) {
    Object.assign(this, { handle, adapter, lost: null, fault: null, bytes: 0, ids: new WeakMap(), count: 0, free: new Map() });
    this.gone = handle.lost.then((info) => (this.lost = info.message || info.reason || "the device was lost"));
    handle.addEventListener("uncapturederror", (event) => (this.fault ??= event.error.message));
    this.layouts = new Map();
  }
  take(nbytes, usage = USAGE.storage) {
    const size = padded(nbytes);
    const waiting = this.free.get(`${size} ${usage}`);
    if (waiting?.length) return waiting.pop();
    this.bytes += size;
    const buffer = this.handle.createBuffer({ size, usage });
    this.ids.set(buffer, ++this.count);
    return buffer;
  }
  give(buffer) {
    const key = `${buffer.size} ${buffer.usage}`;
    this.free.set(key, [...(this.free.get(key) ?? []), buffer]);
  }
  layout(access) {
    const key = String(access);
    if (!this.layouts.has(key)) {
      const types = { read: "read-only-storage", read_write: "storage", uniform: "uniform" };
      const entries = access.map((how, binding) => ({
        binding,
        visibility: USAGE.compute,
        ...(how === "texture"
          ? { storageTexture: { access: "read-only", format: "rgba32float" } }
          : { buffer: { type: types[how] } }),
      }));
      this.layouts.set(key, this.handle.createBindGroupLayout({ entries }));
    }
    return this.layouts.get(key);
  }
  async pipeline(kernel) {
    const enable = kernel.needs.includes("subgroup") ? "enable subgroups;\n" : "";
    const module = this.handle.createShaderModule({ label: kernel.name, code: enable + kernel.wgsl });
    const layout = this.handle.createPipelineLayout({ bindGroupLayouts: [this.layout(kernel.access)] });
    return this.handle.createComputePipelineAsync({ layout, compute: { module, entryPoint: "main" } });
  }
  alive() {
    if (this.lost !== null) fail(`the device was lost (${this.lost}): call recover() to go on from the last snapshot`);
    if (this.fault !== null) fail(`the device refused a command: ${this.fault.split("\n")[0]}`);
  }
  /** The elements of Tensors, in one transfer. */
  async read(tensors) {
    this.alive();
    for (const found of await Promise.all(tensors.map((t) => t.faults))) if (found) fail(found);
    const encoder = this.handle.createCommandEncoder();
    return this.arrive(tensors, this.copyOut(encoder, tensors), () => this.handle.queue.submit([encoder.finish()]));
  }
  copyOut(encoder, tensors) {
    const offsets = tensors.reduce((found, t) => [...found, found.at(-1) + word(t.nbytes)], [0]);
    const staging = this.take(offsets.at(-1), USAGE.staging);
    tensors.forEach((t, n) => {
      if (t.buffer === null && t.nbytes) fail("this array was donated or reset, and is gone");
      if (t.nbytes) encoder.copyBufferToBuffer(t.buffer, 0, staging, offsets[n], word(t.nbytes));
    });
    return { staging, offsets };
  }
  async arrive(tensors, { staging, offsets }, submit) {
    submit();
    await staging.mapAsync(1).catch(() => this.gone.then(() => this.alive()));
    this.alive();
    const bytes = staging.getMappedRange().slice(0);
    staging.unmap();
    this.give(staging);
    return tensors.map((t, n) => {
      const Kind = t.dtype === "bool" ? Uint32Array : KINDS[t.dtype].array;
      const found = new Kind(bytes.slice(offsets[n], offsets[n] + t.nbytes));
      return t.dtype === "bool" ? Uint8Array.from(found) : found;
    });
  }
}

/** One function on a device: its buffers, textures and pipelines. */
class Runner {
  constructor(f, device, pipelines, kernels, arrays) {
    Object.assign(this, { f, device, pipelines, kernels, routes: routes(f), order: sequence(f), groups: new Map() });
    const format = { format: "rgba32float", usage: USAGE.texture };
    this.textures = f.textures.map((t) => device.handle.createTexture({ size: [t.width, t.height], ...format }));
    this.inputs = f.args.map((_, slot) => f.buffers.findIndex((b) => b.kind === "input" && b.slot === slot));
    this.fixed = f.buffers.map((b) => {
      if (!b.nbytes || !["constant", "arena", "faults"].includes(b.kind)) return null;
      const buffer = device.take(b.nbytes);
      const array = b.kind === "constant" ? arrays[f.names[b.slot]] : null;
      if (array) device.handle.queue.writeBuffer(buffer, 0, whole(stored(array.data, { ...array, axis: null })));
      return buffer;
    });
  }
  /** Submit a call; returns the results as Tensors and a promise of those to read. */
  call(leaves, wanted) {
    const { f, device } = this;
    device.alive();
    const encoder = device.handle.createCommandEncoder();
    const bound = [...this.fixed];
    const lent = [];
    const taken = new Map(f.donated);
    const twice = (t) => leaves.filter((other) => other instanceof Tensor && other.buffer === t.buffer).length > 1;
    leaves.forEach((given, slot) => {
      const number = this.inputs[slot];
      if (number < 0) return;
      const [leaf, home] = [f.args[slot], f.buffers[number]];
      if (given instanceof Tensor) {
        const same = given.dtype === leaf.dtype && String(given.shape) === String(leaf.shape);
        if (!same) fail(`argument ${leaf.name} must be ${leaf.dtype}[${leaf.shape}], not ${given.dtype}[${given.shape}]`);
        if (given.buffer === null && given.nbytes) fail(`argument ${leaf.name} was donated or reset, and is gone`);
        bound[number] = given.buffer;
        if (given.buffer && taken.has(slot) && (twice(given) || !leaf.donated)) {
          bound[number] = device.take(home.nbytes);
          encoder.copyBufferToBuffer(given.buffer, 0, bound[number], 0, given.buffer.size);
        }
        return;
      }
      bound[number] = device.take(home.nbytes);
      if (!taken.has(slot)) lent.push(bound[number]);
      device.handle.queue.writeBuffer(bound[number], 0, whole(stored(given, leaf)));
    });
    const results = f.results.map((leaf, slot) => {
      const { buffer, kind } = this.routes[slot];
      const nbytes = product(leaf.shape) * KINDS[leaf.dtype].bytes;
      const memory = !nbytes ? null : kind === "input" ? bound[buffer] : device.take(nbytes);
      if (kind === "output") bound[buffer] = memory;
      return new Tensor(device, memory, leaf.shape, leaf.dtype);
    });
    const words = f.checks.length ? bound[f.buffers.findIndex((b) => b.kind === "faults")] : null;
    if (words) encoder.clearBuffer(words);
    this.encode(encoder, bound);
    results.forEach((result, slot) => {
      const { copy } = this.routes[slot];
      if (!copy || !result.nbytes) return;
      encoder.copyBufferToBuffer(bound[copy.buffer], copy.offset, result.buffer, 0, word(result.nbytes));
    });
    leaves.forEach((given, slot) => {
      if (!(given instanceof Tensor) || !f.args[slot].donated) return;
      if (given.buffer && !results.some((r) => r.buffer === given.buffer)) lent.push(given.buffer);
      given.buffer = null;
    });
    const chosen = wanted.map((slot) => results[slot]);
    const all = words ? [...chosen, new Tensor(device, words, [f.checks.length], "u32")] : chosen;
    const submit = () => device.handle.queue.submit([encoder.finish()]);
    const reading = all.length ? device.arrive(all, device.copyOut(encoder, all), submit) : submit();
    lent.forEach((buffer) => device.give(buffer)); // later work is queued behind this call
    const faults = this.told(reading, words !== null, leaves);
    results.forEach((result) => (result.faults = faults));
    return { results, reading, faults };
  }
  /** A promise of what was wrong with the indices of a call, or of one that made its arguments; null: nothing can be. */
  told(reading, checks, leaves) {
    const before = leaves.filter((given) => given instanceof Tensor && given.faults).map((given) => given.faults);
    if (!checks && !before.length) return null;
    const first = (found) => found.find((text) => text) ?? null;
    const own = (arrays) => first(this.f.checks.map((check, n) => problem(check, arrays.at(-1)[n])));
    // A device that is lost is told by whoever waits for the call itself.
    return Promise.all([checks ? reading.then(own, () => null) : null, ...before]).then(first);
  }
  encode(encoder, bound) {
    let pass = null;
    for (const number of this.order) {
      const d = this.f.dispatches[number];
      for (const { buffer, offset, nbytes } of d.clears) {
        pass?.end();
        pass = null;
        encoder.clearBuffer(bound[buffer], offset, nbytes);
      }
      for (const { buffer, offset, texture } of d.copies) {
        pass?.end();
        pass = null;
        const { width, height } = this.f.textures[texture];
        const source = { buffer: bound[buffer], offset, bytesPerRow: width * VECTOR };
        encoder.copyBufferToTexture(source, { texture: this.textures[texture] }, [width, height]);
      }
      pass ??= encoder.beginComputePass();
      pass.setPipeline(this.pipelines[d.kernel]);
      pass.setBindGroup(0, this.group(number, d, bound));
      pass.dispatchWorkgroups(...d.workgroups);
    }
    pass?.end();
  }
  /** The bind group of a dispatch, made once for the buffers that it names. */
  group(number, d, bound) {
    const key = `${number} ${d.bindings.map((b) => (b.texture < 0 ? this.device.ids.get(bound[b.buffer]) : ""))}`;
    if (!this.groups.has(key)) {
      if (this.groups.size > 64 * this.f.dispatches.length) this.groups.clear();
      const entries = d.bindings.map(({ buffer, offset, nbytes, texture }, binding) => ({
        binding,
        resource: texture < 0 ? { buffer: bound[buffer], offset, size: word(nbytes) } : this.textures[texture].createView(),
      }));
      const layout = this.device.layout(this.kernels[d.kernel].access);
      this.groups.set(key, this.device.handle.createBindGroup({ layout, entries }));
    }
    return this.groups.get(key);
  }
}

/** Bytes in whole words. */
function whole(array) {
  if (array.byteLength % 4 === 0) return array;
  const out = new Uint8Array(word(array.byteLength));
  out.set(new Uint8Array(array.buffer, array.byteOffset, array.byteLength));
  return out;
}

/** A program on a device: `await program.NAME({argument: value})`, or `program.call("NAME", {...})`. */
export class Program {
  constructor(document) {
    Object.assign(this, { document, device: null, functions: {}, about: document.about, state: {} });
    for (const name of Object.keys(document.functions)) this[name] ??= (given, options) => this.call(name, given, options);
  }
  /** Choose the functions for an adapter, and make everything that is made once; that of the others beside `first`. */
  async prepare(adapter, first = null) {
    const { kernels, arrays } = this.document;
    const functions = choose(this.document, adapter);
    const chosen = Object.values(functions);
    const device = await Device.open(adapter, chosen);
    const pipelines = [];
    const made = [];
    const make = (n) => (made[n] ??= device.pipeline(kernels[n]).then((pipeline) => (pipelines[n] = pipeline)));
    const ready = {};
    for (const [name, f] of Object.entries(functions).sort(([a], [b]) => (b === first) - (a === first))) {
      ready[name] = Promise.all(f.dispatches.map((d) => make(d.kernel)));
      ready[name].catch(() => {});
      if (name === first) await ready[name];
    }
    if (!(first in ready)) await Promise.all(Object.values(ready));
    const runner = (f) => new Runner(f, device, pipelines, kernels, arrays);
    this.runners = Object.fromEntries(Object.entries(functions).map(([name, f]) => [name, runner(f)]));
    Object.assign(this, { device, functions, ready });
    this.reset();
    return this;
  }
  /** Put the state back to what was exported. */
  reset() {
    walk(this.state, (leaf) => leaf instanceof Tensor && leaf.drop());
    this.state = walk(this.document.state, (name) => this.upload(this.document.arrays[name]));
  }
  /** {dtype, shape, data} as a Tensor. */
  upload({ dtype, shape, data }) {
    this.device.alive();
    const bytes = whole(stored(data, { dtype, shape, name: "array", axis: null }));
    const buffer = this.device.take(Math.max(VECTOR, bytes.byteLength));
    this.device.handle.queue.writeBuffer(buffer, 0, bytes);
    return new Tensor(this.device, buffer, shape, dtype);
  }
  /** Zeros for an argument of a function, on the device: a tree of Tensors. */
  zeros(name, argument) {
    const f = this.functions[name] ?? fail(`this program has no function ${name}`);
    const { tree, leaves } = argumentsOf(f)[argument] ?? fail(`${name} has no argument ${argument}`);
    const zero = ({ shape, dtype }) => ({ shape, dtype, data: new KINDS[dtype].array(product(shape)) });
    return build(tree, leaves.map((leaf) => this.upload(zero(leaf))));
  }
  /**
   * Run a function. given: its arguments by name; those left out come from `state`. Results that replace donated
   * arguments go to `state`; the others come back as typed arrays, or as Tensors with {onDevice: true}.
   */
  async call(name, given = {}, { onDevice = false } = {}) {
    const f = this.functions[name] ?? fail(`this program has no function ${name}`);
    if (!given) fail(`${name} takes its arguments by name`);
    await this.ready[name];
    const known = argumentsOf(f);
    const extra = Object.keys(given).find((key) => !Object.hasOwn(known, key));
    if (extra !== undefined) fail(`${name} has no argument ${extra}: it takes ${Object.keys(known).join(", ")}`);
    const leaves = [];
    for (const [key, { tree }] of Object.entries(known)) {
      const value = [given, this.state].find((from) => Object.hasOwn(from, key))?.[key];
      if (value === undefined) fail(`${name} needs the argument ${key}: give it, or put it into state`);
      match(tree, value, leaves, key, (needed) => fail(`${name} needs ${needed}`));
    }
    const kept = this.replaced(f);
    const stays = new Set(Object.values(kept).flat());
    const wanted = onDevice ? [] : f.results.map((_, slot) => slot).filter((slot) => !stays.has(slot));
    const { results, reading, faults } = this.runners[name].call(leaves, wanted);
    for (const [key, slots] of Object.entries(kept)) {
      const tree = f.inTree.items[0].items[f.parameters.indexOf(key)];
      this.state[key] = build(tree, slots.map((slot) => results[slot]));
    }
    const arrays = onDevice ? [] : await reading;
    const wrong = onDevice ? null : await faults;
    if (!onDevice) wanted.forEach((slot) => results[slot].buffer && this.device.give(results[slot].buffer));
    if (wrong) fail(wrong);
    const found = results.map((tensor, slot) => (wanted.includes(slot) ? arrays[wanted.indexOf(slot)] : tensor));
    return build(f.outTree, found);
  }
  /** For each donated argument, the slots of the results that take its place: the first of its structure, in order. */
  replaced(f) {
    const found = {};
    if (f.outTree?.kind !== "tuple" && f.outTree?.kind !== "list") return found;
    const counts = f.outTree.items.map(leavesIn);
    let [slot, next] = [0, 0];
    f.parameters.forEach((key, n) => {
      const tree = f.inTree.items[0].items[n];
      const count = leavesIn(tree);
      const first = slot;
      slot += count;
      const same = JSON.stringify(tree) === JSON.stringify(f.outTree.items[next]);
      if (!count || !same || !f.args.slice(first, slot).every((leaf) => leaf.donated)) return;
      const begin = counts.slice(0, next).reduce((a, b) => a + b, 0);
      const types = (leaf) => `${leaf.dtype} ${leaf.shape}`;
      if (!f.args.slice(first, slot).every((leaf, k) => types(leaf) === types(f.results[begin + k]))) return;
      found[key] = f.args.slice(first, slot).map((_, k) => begin + k);
      next += 1;
    });
    return found;
  }
  /** The state as a safetensors file, with names such as "params.layers.0.wq". notes: texts that go with it. */
  async save(notes = {}) {
    const names = [];
    const name = (tree, path) => {
      if (tree instanceof Tensor) names.push([path, tree]);
      else if (tree !== null) Object.entries(tree).forEach(([key, item]) => name(item, path ? `${path}.${key}` : key));
    };
    name(this.state, "");
    const data = names.length ? await this.device.read(names.map(([, tensor]) => tensor)) : [];
    const arrays = names.map(([path, { dtype, shape }], n) => [path, { dtype, shape, data: data[n] }]);
    return writeArrays(Object.fromEntries(arrays), notes);
  }
  /** Take the state, or whole parts of it, out of a file that `save` wrote; returns its notes. Raises ProgramError where names or types differ. */
  restore(file) {
    const what = "the file of weights";
    const arrays = readArrays(file, what);
    const take = (tree, path) => {
      if (!(tree instanceof Tensor)) {
        if (!Array.isArray(tree) && tree?.constructor !== Object) return tree;
        const items = Object.entries(tree).map(([key, item]) => [key, take(item, path ? `${path}.${key}` : key)]);
        return Array.isArray(tree) ? items.map(([, item]) => item) : Object.fromEntries(items);
      }
      const array = arrays[path] ?? fail(`the file of weights has no ${path}: it is of another model`);
      const same = array.dtype === tree.dtype && String(array.shape) === String(tree.shape);
      return same ? this.upload(array) : fail(`${path} is ${array.dtype}[${array.shape}] in the file, not ${tree.dtype}[${tree.shape}]`);
    };
    const has = ([key]) => Object.keys(arrays).some((name) => name === key || name.startsWith(`${key}.`));
    const parts = Object.entries(this.state);
    const found = parts.filter(has);
    Object.assign(this.state, Object.fromEntries((found.length ? found : parts).map(([key, tree]) => [key, take(tree, key)])));
    return readNotes(file, what);
  }
  /** After the device was lost: a new one, with the state of a file that `save` wrote, or as it was exported. */
  async recover(file = null) {
    await this.prepare(await findAdapter());
    if (file) this.restore(file);
    return this;
  }
}

/**
 * The program in the folder at a URL, ready to run. Raises ProgramError in one line where that cannot be. first: the
 * function that is waited for; the others are made beside it, and their first call waits.
 */
export async function load(url, { first = null } = {}) {
  const adapter = await findAdapter();
  return new Program(await read(url)).prepare(adapter, first);
}
