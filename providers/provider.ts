/**
 * What a machine can do: run a graph. Nothing here knows of speech.
 */

export type TensorData = {
  float32: Float32Array;
  int64: BigInt64Array;
  int32: Int32Array;
  int8: Int8Array;
  uint8: Uint8Array;
  bool: Uint8Array;
};
export type TensorType = keyof TensorData;

/** A dense, row-major tensor that lives in host memory. `data.length` is the product of `dims`. */
export type Tensor<T extends TensorType = TensorType> = {
  readonly [K in T]: { readonly type: K; readonly dims: readonly number[]; readonly data: TensorData[K] };
}[T];

/** A loaded graph. `run` may block the thread it is called on for as long as the graph takes. */
export type Session = {
  readonly inputNames: readonly string[];
  readonly outputNames: readonly string[];
  /**
   * Runs the graph. `feeds` are read in place. `fetches` names the outputs wanted; a tensor given for a name is
   * written into, and may be the same tensor as a feed where the operator allows it (key/value caches).
   */
  readonly run: (
    feeds: Readonly<Record<string, Tensor>>,
    fetches: readonly string[],
    into?: Readonly<Record<string, Tensor>>,
  ) => Promise<Record<string, Tensor>>;
  /**
   * Gives the memory of `tensors` back at once: what `run` answered or was given, and nobody reads any more. Without
   * it the collector does, when it gets to it. Who reads them afterwards finds them empty.
   */
  readonly release: (tensors: Iterable<Tensor>) => void;
  readonly close: () => Promise<void>;
};

export type SessionOptions = {
  readonly threads?: number;
  /**
   * Left out, only what makes the sums of int8 exact here: our own graphs are written optimised. `all` is for other
   * people's graphs; `none` leaves a graph as it is, exact or not.
   */
  readonly optimize?: 'none' | 'all';
};

export type ProbeReport =
  | { readonly usable: true; readonly device: string }
  | { readonly usable: false; readonly reason: string; readonly hint: string };

/** One machine. `probe` never throws; it says whether this provider can work here, or why not. */
export type Provider = {
  readonly name: string;
  readonly probe: () => Promise<ProbeReport>;
  readonly open: (graphPath: string, options?: SessionOptions) => Promise<Session>;
};
