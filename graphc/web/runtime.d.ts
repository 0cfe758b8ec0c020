/** Types of runtime.js, which runs programs that graphc exported. */

export type TypedArray = Float32Array | Int32Array | Uint32Array | Uint16Array | Uint8Array;
export type DType = "f32" | "f16" | "i32" | "u32" | "bool";

/** What an argument may hold: an array on the device or on the host, a list (of lists) of numbers, or a number. */
export type Given = Tensor | TypedArray | readonly Given[] | number | boolean | null | { [key: string]: Given };

/** A tree of results: dicts become objects, lists and tuples become lists. */
export type Result = Tensor | TypedArray | null | Result[] | { [key: string]: Result };

export interface StoredArray {
  dtype: DType;
  shape: number[];
  data: TypedArray;
}

/** A program that is damaged, of another version, used wrongly, or that this device cannot run. */
export class ProgramError extends Error {}

/** An array on the device. A donated one is gone once a call has taken it over. */
export class Tensor {
  readonly shape: number[];
  readonly dtype: DType;
  readonly nbytes: number;
  /** Its elements, row after row. */
  read(): Promise<TypedArray>;
}

export interface Device {
  /** The browser's device and adapter. */
  readonly handle: GPUDevice;
  readonly adapter: GPUAdapter;
  /** Bytes of all buffers that were made. */
  readonly bytes: number;
  /** Why the device was lost; null while it works. */
  readonly lost: string | null;
  /** Resolves with the reason once the device is lost. */
  readonly gone: Promise<string>;
}

export type Call = (given?: { [argument: string]: Given }, options?: { onDevice?: boolean }) => Promise<any>;

/** A program on a device. Each function is a method of its name: `await program.step({ x, y })`. */
export class Program {
  readonly device: Device;
  /** The functions by name: what each requires, and its dispatches, as docs/program.md describes them. */
  readonly functions: { readonly [name: string]: any };
  /** What was exported with the functions, for the page. */
  readonly about: any;
  /** What calls take for arguments that they are not given, and put results in that replace donated arguments. */
  state: { [argument: string]: any };
  /** Run a function. Results come back as typed arrays, or as Tensors with {onDevice: true}. */
  call(name: string, given?: { [argument: string]: Given }, options?: { onDevice?: boolean }): Promise<any>;
  /** Zeros for an argument of a function, on the device. */
  zeros(name: string, argument: string): any;
  /** Put the state back to what was exported. */
  reset(): void;
  /** An array of the host as a Tensor. */
  upload(array: StoredArray): Tensor;
  /** The state as a safetensors file. notes: texts that go with it. */
  save(notes?: { [name: string]: string }): Promise<ArrayBuffer>;
  /** Take the state out of a file that `save` wrote; gives its notes. Raises ProgramError where names or types differ. */
  restore(file: ArrayBuffer): { [name: string]: string };
  /** After the device was lost: a new one, with the state of such a file, or as it was exported. */
  recover(file?: ArrayBuffer | null): Promise<Program>;
  [name: string]: any;
}

/** The program in the folder at a URL, ready to run. Raises ProgramError in one line where that cannot be. */
export function load(url: string | URL, options?: { first?: string | null }): Promise<Program>;

/** Typed arrays for the Tensors of a tree. */
export function toHost(tree: any): Promise<any>;

/** The program of a document that was read already; raises ProgramError that names the field. */
export function check(raw: unknown, wgsl: string[], arrays: { [name: string]: StoredArray }): unknown;

export function readArrays(buffer: ArrayBuffer, what?: string): { [name: string]: StoredArray };
export function writeArrays(arrays: { [name: string]: StoredArray }, notes?: { [name: string]: string }): ArrayBuffer;
