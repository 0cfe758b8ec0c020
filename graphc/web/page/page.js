// page.js: samples and trains a model in the page. runtime.js runs the program, data.js draws tokens and batches.

import { batchesOf, key, Vocabulary } from "./data.js";
import { load } from "./runtime.js";

const at = (id) => document.getElementById(id);
const FREE = -1; // in a list of given tokens: one that is drawn
const AHEAD = 200; // milliseconds of steps that are under way before the page waits for losses
const SHOW_EVERY = 100; // milliseconds between two drawings of the losses
const KEEP_EVERY = 5000; // milliseconds of training between two snapshots of the weights

let program = null;
let about = null;
let vocabulary = null;
let kept = null; // {file, step, losses}: the weights that a lost device is replaced with, those of a while ago
let step = 0; // of the batches: goes on where the run stopped
let losses = [];
let running = false;
let pausing = false;

function say(text, wrong = false) {
  at("status").textContent = text;
  at("status").classList.toggle("wrong", wrong);
}

/** Do something with the program; what goes wrong is said, and a lost device is replaced. */
async function attempt(what, work) {
  try {
    return await work();
  } catch (error) {
    if (program?.device.lost !== null && program !== null) {
      say(`The device was lost (${program.device.lost}). Starting again…`, true);
      await program.recover(kept?.file ?? null).then(
        () => say("The device was lost, and the program was started again from the last weights. Try once more.", true),
        (failed) => say(`The device was lost, and it cannot be started again: ${failed.message}`, true),
      );
      [step, losses] = [kept?.step ?? about.step, losses.slice(0, kept?.losses ?? 0)];
      show();
      facts();
    } else {
      say(`${what}: ${error.message}`, true);
    }
    return undefined;
  }
}

function number(id, { low = -Infinity, whole = true, empty = null } = {}) {
  const text = at(id).value.trim();
  const odd = at(id).validity.badInput; // what is no number reads as nothing
  if (text === "" && empty !== null && !odd) return empty;
  const value = Number(text);
  if (whole && Math.abs(value) > Number.MAX_SAFE_INTEGER) throw new Error(`${id} is ${text}: at most ${Number.MAX_SAFE_INTEGER} is exact`);
  const right = text !== "" && Number.isFinite(value) && value >= low && (!whole || Number.isInteger(value));
  if (right) return value;
  throw new Error(`${id} is ${JSON.stringify(text)}: it must be a ${whole ? "whole " : ""}number${low > -Infinity ? ` of at least ${low}` : ""}`);
}

// ---- Sampling

async function sample() {
  const prompt = vocabulary.encode(at("prompt").value);
  const drawing = {
    key: key(number("seed")),
    temperature: number("temperature", { low: 0, whole: false }),
    top_k: Math.min(number("top-k", { low: 1, empty: Infinity }), vocabulary.end + 1),
  };
  const count = number("count", { low: 1 });
  const { rows, prose } = about.sampling;
  if (count > rows) throw new Error(`count is ${count}: this page draws at most ${rows} at once`);
  const texts = prose ? await continuations(prompt, drawing, count) : await documents(prompt, drawing, count);
  at("samples").textContent = texts.join("\n");
}

/** Documents, all positions in one call. */
async function documents(prompt, drawing, count) {
  const { context, rows } = about.sampling;
  if (prompt.length >= context) throw new Error(`the prompt has ${prompt.length} characters: fewer than ${context} fit`);
  const given = new Int32Array(context).fill(FREE);
  given.set(prompt);
  const tokens = await program.sample({ given, ...drawing });
  const row = (n) => Array.from({ length: context }, (_, t) => tokens[t * rows + n]);
  return Array.from({ length: count }, (_, n) => vocabulary.decode(row(n)));
}

/** Texts without end, a call a token; where the context is full, its second half is read again. */
async function continuations(prompt, drawing, count) {
  const { context, rows } = about.sampling;
  const length = number("length", { low: 1 });
  if (length <= prompt.length) throw new Error(`the prompt has ${prompt.length} characters: length must be more`);
  const given = [0, ...prompt].map((token) => new Int32Array(rows).fill(token));
  const text = [given[0]];
  let position = 0;
  const drop = (tree) => (tree?.drop ? tree.drop() : Object.values(tree ?? {}).forEach(drop));
  const end = () => {
    drop(program.state.cache);
    delete program.state.cache;
  };
  const begin = () => {
    end();
    program.state.cache = program.zeros("sample", "cache");
    position = 0;
  };
  const call = async (tokens, place) => (await program.sample({ tokens, position: position++, place, ...drawing }))[1];
  try {
    begin();
    while (text.length <= length) {
      if (position === context) {
        begin();
        for (const past of text.slice(-Math.max(context >> 1, 1), -1)) await call(past, 0);
      }
      const drawn = await call(text.at(-1), text.length);
      text.push(text.length < given.length ? given[text.length] : drawn);
    }
  } finally {
    end(); // the state is the weights alone
  }
  return Array.from({ length: count }, (_, n) => vocabulary.decode(text.slice(1).map((tokens) => tokens[n])));
}

// ---- Training

/** Keep the weights as they are now, for the case that the device is lost. */
async function keep() {
  kept = { file: await saved(), step, losses: losses.length };
}

const saved = () => program.save({ step: String(step) });

async function train() {
  const steps = number("steps", { low: 1 });
  const rate = number("rate", { low: 0, whole: false });
  const batch = batchesOf(at("text").value, about.batches, vocabulary);
  const begun = performance.now();
  const pending = [];
  let done = 0;
  let [shown, last] = [0, begun];
  const most = () => Math.min(8, Math.max(2, Math.round((AHEAD * (done || 1)) / (performance.now() - begun + 1))));
  const settle = async (left) => {
    while (pending.length > left) {
      const [loss] = await pending.shift();
      if (!Number.isFinite(loss)) throw new Error(`the loss is ${loss}: press Reset, and take a lower rate`);
      losses.push(loss);
      done += 1;
    }
    const now = performance.now();
    if (pending.length && now - shown < SHOW_EVERY) return;
    show(done, now - begun);
    shown = now;
  };
  for (let n = 0; n < steps && !pausing; n++) {
    const loss = program.step({ ...batch(step), rate }).then((results) => results[2]);
    loss.catch(() => {}); // told when it is waited for
    pending.push(loss);
    step += 1;
    if (pending.length >= most()) await settle(most() >> 1);
    if (performance.now() - last < KEEP_EVERY) continue;
    await settle(0);
    await keep();
    last = performance.now();
  }
  await settle(0);
  await keep();
}

/** The last loss, all losses, and the speed of `done` steps in so many milliseconds. */
function show(done = 0, milliseconds = 0) {
  const output = at("loss");
  output.textContent = losses.length ? losses.at(-1).toFixed(4) : "–";
  output.dataset.losses = JSON.stringify(losses);
  at("speed").textContent = done ? `${((1000 * done) / milliseconds).toFixed(1)} steps/s` : "–";
  plot();
}

/** The losses, and their running mean over a twentieth of them, as two lines. */
function plot() {
  const most = 600;
  const stride = Math.max(1, Math.ceil(losses.length / most));
  const width = Math.max(1, Math.floor(losses.length / 20));
  const sums = [0];
  for (const loss of losses) sums.push(sums.at(-1) + loss);
  const mean = losses.map((_, n) => (sums[n + 1] - sums[Math.max(0, n + 1 - width)]) / Math.min(n + 1, width));
  const high = losses.reduce((a, b) => Math.max(a, b), 1e-9);
  const low = losses.reduce((a, b) => Math.min(a, b), high);
  const points = (values) =>
    values
      .filter((_, n) => n % stride === 0)
      .map((v, n, all) => `${((600 * n) / Math.max(1, all.length - 1)).toFixed(1)},${(150 - (140 * (v - low)) / (high - low || 1)).toFixed(1)}`)
      .join(" ");
  const line = (kind, values) => {
    const made = document.createElementNS("http://www.w3.org/2000/svg", "polyline");
    made.setAttribute("class", kind);
    made.setAttribute("points", points(values));
    return made;
  };
  at("plot").replaceChildren(line("each", losses), line("mean", mean));
  const [from, to] = [low, high].map((loss) => loss.toFixed(3));
  at("range").textContent = losses.length ? `${losses.length} steps, losses from ${from} to ${to}; thick: their mean` : "";
}

// ---- The page

function facts() {
  const { info, limits } = program.device.adapter;
  const functions = Object.values(program.functions);
  const peak = Math.max(...functions.map((f) => f.memory.peak_bytes ?? 0));
  const name = [info?.vendor, info?.architecture, info?.device, info?.description].filter(Boolean).join(" ") || "unknown";
  const size = (bytes) => `${bytes.toLocaleString("en")} bytes`;
  const planned = functions.map((f) => f.buffers.reduce((sum, b) => sum + b.nbytes, 0));
  const entries = {
    Model: about.model,
    Adapter: name,
    "Training step": `${program.functions.step.dispatches.length} dispatches, in one submit`,
    "Memory beside arguments and results": `${size(peak)}, as planned`,
    "Buffers of both functions": size(planned.reduce((a, b) => a + b, 0)),
    "Largest binding of the adapter": size(limits.maxStorageBufferBindingSize),
    "Steps of the run": about.step.toLocaleString("en"),
  };
  at("facts").replaceChildren(
    ...Object.entries(entries).flatMap(([term, text]) => {
      const [dt, dd] = [document.createElement("dt"), document.createElement("dd")];
      dt.textContent = term;
      dd.textContent = text;
      return [dt, dd];
    }),
  );
}

/** The picture of the program, unpacked when it is looked at for the first time. */
async function picture() {
  const reply = await fetch("./model.svg.gz");
  if (!reply.ok) throw new Error(`model.svg.gz cannot be fetched: ${reply.status} ${reply.statusText}`);
  const packed = await reply.blob();
  const [first, second] = new Uint8Array(await packed.slice(0, 2).arrayBuffer());
  const isPacked = first === 0x1f && second === 0x8b; // some servers unpack it themselves
  const stream = isPacked ? packed.stream().pipeThrough(new DecompressionStream("gzip")) : packed.stream();
  const svg = await new Response(stream).blob();
  at("picture").src = at("alone").href = URL.createObjectURL(new Blob([svg], { type: "image/svg+xml" }));
}

function enable(on) {
  for (const id of ["sample", "train", "reset", "save", "load"]) at(id).disabled = !on;
}

/** Run one thing at a time; Train turns into Pause meanwhile. */
async function busy(what, text, work) {
  if (running) return;
  const focused = document.activeElement;
  running = true;
  enable(false);
  say(text);
  const done = await attempt(what, async () => (await work(), true));
  running = false;
  pausing = false;
  enable(true);
  if (document.activeElement === document.body) focused?.focus(); // a button that is disabled loses it
  if (done) say("Ready.");
}

function listen() {
  at("sampling").addEventListener("submit", (event) => {
    event.preventDefault();
    busy("Sampling", "Sampling…", sample);
  });
  at("training").addEventListener("submit", (event) => {
    event.preventDefault();
    if (running) {
      pausing = true;
      return;
    }
    const work = busy("Training", "Training…", train);
    at("train").textContent = "Pause";
    at("train").disabled = false;
    work.finally(() => (at("train").textContent = "Train"));
  });
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && running) pausing = true;
  });
  at("drawing").addEventListener("toggle", () => attempt("The picture", picture), { once: true });
  at("reset").addEventListener("click", () =>
    busy("Reset", "Putting the weights back…", async () => {
      program.reset();
      [losses, step, kept] = [[], about.step, null];
      show();
    }),
  );
  at("save").addEventListener("click", () =>
    busy("Saving", "Saving…", async () => {
      const link = document.createElement("a");
      link.href = URL.createObjectURL(new Blob([await saved()]));
      link.download = `${about.model}.safetensors`;
      link.click();
      setTimeout(() => URL.revokeObjectURL(link.href), 10000);
    }),
  );
  at("load").addEventListener("change", (event) => {
    const [file] = event.target.files;
    if (!file) return;
    busy("Loading", "Loading…", async () => {
      const bytes = await file.arrayBuffer();
      const noted = Number(program.restore(bytes).step ?? step);
      if (Number.isSafeInteger(noted) && noted >= 0) step = noted; // another program's file may note anything
      kept = { file: bytes, step, losses: losses.length };
    }).finally(() => (event.target.value = ""));
  });
}

async function main() {
  program = await load("./", { first: "sample" });
  about = program.about;
  vocabulary = new Vocabulary(about.characters);
  step = about.step;
  at("count").value = about.sampling.count;
  at("count").max = about.sampling.rows;
  at("rate").value = about.rate;
  at("text").value ||= about.text;
  at("length-label").hidden = !about.sampling.prose;
  facts();
  listen();
  enable(true);
  say("Ready.");
}

main().catch((error) => say(error.message, true));
