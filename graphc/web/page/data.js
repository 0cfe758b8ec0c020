// data.js: tokens, random numbers and batches, the same as graphc draws them in Python.

/** The key of a seed: its low 64 bits, high word first. */
export function key(seed) {
  const bits = BigInt.asUintN(64, BigInt(seed));
  return Uint32Array.of(Number(bits >> 32n), Number(bits & 0xffffffffn));
}

const rotate = (x, n) => ((x << n) | (x >>> (32 - n))) >>> 0;
const ROTATIONS = [
  [13, 15, 26, 6],
  [17, 29, 16, 24],
];

/** `count` random words: word 0 of Threefry-2x32 with 20 rounds, at counters 0, 1, ... */
export function bits(key, count) {
  const schedule = [key[0], key[1], (key[0] ^ key[1] ^ 0x1bd11bda) >>> 0];
  return Uint32Array.from({ length: count }, (_, counter) => {
    let [x0, x1] = [(counter + schedule[0]) >>> 0, schedule[1]];
    for (let group = 0; group < 5; group++) {
      for (const n of ROTATIONS[group % 2]) {
        x0 = (x0 + x1) >>> 0;
        x1 = (rotate(x1, n) ^ x0) >>> 0;
      }
      x0 = (x0 + schedule[(group + 1) % 3]) >>> 0;
      x1 = (x1 + schedule[(group + 2) % 3] + group + 1) >>> 0;
    }
    return x0;
  });
}

/** A new key made of a key and an integer. */
export function foldIn(key, data) {
  const scrambled = bits(Uint32Array.of(key[0] ^ 0x666f6c64, key[1]), 2);
  return bits(Uint32Array.of(scrambled[0] ^ (data >>> 0), scrambled[1]), 2);
}

/** `count` integers in [0, high). */
export function randint(key, count, high) {
  const words = bits(key, 2 * count);
  const span = BigInt(high);
  return Int32Array.from({ length: count }, (_, n) => {
    const wide = (BigInt(words[n]) << 32n) | BigInt(words[count + n]);
    return Number((wide * span) >> 64n);
  });
}

/** Python's random.Random(seed).shuffle: a Mersenne twister, seeded with a whole number. */
export function shuffled(items, seed) {
  const N = 624;
  const state = new Uint32Array(N);
  state[0] = 19650218;
  for (let n = 1; n < N; n++) state[n] = Math.imul(1812433253, state[n - 1] ^ (state[n - 1] >>> 30)) + n;
  const words = [];
  for (let rest = BigInt(seed) < 0n ? -BigInt(seed) : BigInt(seed); rest > 0n || !words.length; rest >>= 32n) {
    words.push(Number(rest & 0xffffffffn));
  }
  let [i, j] = [1, 0];
  const step = (count, mix) => {
    for (let k = 0; k < count; k++) {
      mix();
      if (++i >= N) {
        state[0] = state[N - 1];
        i = 1;
      }
    }
  };
  const last = () => state[i - 1] ^ (state[i - 1] >>> 30);
  step(Math.max(N, words.length), () => {
    state[i] = (state[i] ^ Math.imul(last(), 1664525)) + words[j] + j;
    j = (j + 1) % words.length;
  });
  step(N - 1, () => (state[i] = (state[i] ^ Math.imul(last(), 1566083941)) - i));
  state[0] = 0x80000000;
  let at = N;
  const next = () => {
    if (at === N) {
      for (let k = 0; k < N; k++) {
        const y = (state[k] & 0x80000000) | (state[(k + 1) % N] & 0x7fffffff);
        state[k] = state[(k + 397) % N] ^ (y >>> 1) ^ (y & 1 ? 0x9908b0df : 0);
      }
      at = 0;
    }
    let y = state[at++];
    y ^= y >>> 11;
    y ^= (y << 7) & 0x9d2c5680;
    y ^= (y << 15) & 0xefc60000;
    return (y ^ (y >>> 18)) >>> 0;
  };
  const below = (n) => {
    const width = 32 - Math.clz32(n);
    for (;;) {
      const drawn = next() >>> (32 - width);
      if (drawn < n) return drawn;
    }
  };
  const found = [...items];
  for (let n = found.length - 1; n > 0; n--) {
    const other = below(n + 1);
    [found[n], found[other]] = [found[other], found[n]];
  }
  return found;
}

/** Tokens are characters, in the order of `characters`; `end` is one more, before and after a document. */
export class Vocabulary {
  constructor(characters) {
    this.characters = [...characters];
    this.numbers = new Map(this.characters.map((character, n) => [character, n]));
    this.end = this.characters.length;
  }
  encode(text) {
    return [...text].map((character) => {
      const number = this.numbers.get(character);
      if (number !== undefined) return number;
      throw new Error(`${JSON.stringify(character)} is not a character that the model knows: ${this.characters.join("")}`);
    });
  }
  decode(tokens) {
    const stop = tokens.indexOf(this.end);
    return (stop < 0 ? tokens : tokens.slice(0, stop)).map((token) => this.characters[token]).join("");
  }
}

const documentsOf = (text) => text.split(/\r\n|\r|\n/).map((line) => line.trim()).filter((line) => line);
const need = (condition, message) => {
  if (!condition) throw new Error(message);
};

/** The batches of a text: step -> {x, y}. about: what the exporter says of batches. */
export function batchesOf(text, about, vocabulary) {
  return { documents: documentBatches, windows: windowBatches, prose: proseBatches }[about.kind](text, about, vocabulary);
}

/** Documents in their shuffled order, one a row, cut or padded to the width; -1 in y is padding. */
function documentBatches(text, { size, seed, width }, vocabulary) {
  const all = shuffled(documentsOf(text), seed);
  const train = all.slice(0, Math.ceil(0.9 * all.length));
  need(train.length, "there is no text to train on");
  const rows = train.map((document) => {
    const tokens = [vocabulary.end, ...vocabulary.encode(document), vocabulary.end];
    const count = Math.min(width, tokens.length - 1);
    const padded = (part, padding) => [...part, ...Array(width - count).fill(padding)];
    return { x: padded(tokens.slice(0, count), vocabulary.end), y: padded(tokens.slice(1, count + 1), -1) };
  });
  return (step) => {
    const chosen = Array.from({ length: size }, (_, n) => rows[(step * size + n) % rows.length]);
    return { x: Int32Array.from(chosen.flatMap((r) => r.x)), y: Int32Array.from(chosen.flatMap((r) => r.y)) };
  };
}

const SPLIT_SEED = 42; // of the shuffle before the split: all runs hold back the same documents

/** The characters before each character, drawn with replacement. */
function windowBatches(text, { size, seed, width, held_out: heldOut }, vocabulary) {
  let documents = documentsOf(text);
  if (heldOut) {
    const train = shuffled(documents, SPLIT_SEED).slice(0, Math.floor(0.8 * documents.length));
    documents = train.length ? train : documents;
  }
  need(documents.length, "there is no text to train on");
  const [x, y] = [[], []];
  for (const document of documents) {
    const tokens = [...Array(width).fill(vocabulary.end), ...vocabulary.encode(document), vocabulary.end];
    for (let n = width; n < tokens.length; n++) {
      x.push(tokens.slice(n - width, n));
      y.push(tokens[n]);
    }
  }
  return (step) => {
    const rows = [...randint(foldIn(key(seed), step), size, y.length)];
    return { x: Int32Array.from(rows.flatMap((row) => x[row])), y: Int32Array.from(rows, (row) => y[row]) };
  };
}

/** Pieces of the first 90% of a text, from places that each step draws. */
function proseBatches(text, { size, seed, width }, vocabulary) {
  const all = vocabulary.encode(text.replace(/\r\n|\r/g, "\n"));
  const tokens = all.slice(0, Math.floor(0.9 * all.length));
  need(tokens.length > width, `the text has ${all.length} characters: it must have more than ${Math.ceil(width / 0.9)}`);
  return (step) => {
    const starts = [...randint(foldIn(key(seed), step), size, tokens.length - width)];
    const piece = (shift) => Int32Array.from(starts.flatMap((at) => tokens.slice(at + shift, at + shift + width)));
    return { x: piece(0), y: piece(1) };
  };
}
