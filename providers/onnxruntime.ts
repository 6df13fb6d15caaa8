/**
 * `Session` over onnxruntime-node. Every provider that runs on ONNX Runtime opens its sessions here, and nothing
 * else may import the library: from 1.29 on it reports to Microsoft by default on Linux, and decides whether to
 * when it is loaded (microsoft/onnxruntime#27379). Hence no static import, and the variable below comes first.
 */
import { existsSync } from 'node:fs';
import { isMainThread, MessageChannel } from 'node:worker_threads';
import type { InferenceSession, OnnxValue, Tensor as OrtTensor } from 'onnxruntime-node';
import { Fault } from '../daemon/faults.ts';
import type { Session, SessionOptions, Tensor, TensorData, TensorType } from './provider.ts';

type Library = typeof import('onnxruntime-node');

async function loadLibrary(): Promise<Library> {
  // a worker thread has a copy of the environment, which native code does not see
  if (!isMainThread && process.env['ORT_DISABLE_TELEMETRY'] !== '1') {
    throw new Fault(
      'PROVIDER_UNAVAILABLE',
      'onnxruntime would report usage to its vendor when loaded from a worker thread',
      'set ORT_DISABLE_TELEMETRY=1 in the environment of the process, or load it on the main thread',
    );
  }
  process.env['ORT_DISABLE_TELEMETRY'] = '1';
  try {
    return await import('onnxruntime-node');
  } catch (cause) {
    throw new Fault(
      'PROVIDER_UNAVAILABLE',
      `onnxruntime cannot be loaded: ${messageOf(cause)}`,
      'it needs 64-bit Linux (x64 or arm64) with glibc 2.28 or newer; reinstall harkd for this machine',
      { cause },
    );
  }
}

let library: Promise<Library> | undefined;

function onnxruntime(): Promise<Library> {
  library ??= loadLibrary();
  return library;
}

function messageOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown);
}

/** Names and sizes of what `TensorData` can hold; anything else cannot leave this file. */
const hostTypes: Readonly<Record<TensorType, true>> = {
  float32: true,
  int64: true,
  int32: true,
  int8: true,
  uint8: true,
  bool: true,
};

function toHost(name: string, value: OnnxValue): Tensor {
  const { type } = value;
  if (!(type in hostTypes)) {
    throw new Fault(
      'MODEL_UNSUPPORTED',
      `output ${name} has elements of type ${type}, expected one of ${Object.keys(hostTypes).join(', ')}`,
      'compile the model again with harkd models compile',
    );
  }
  return { type, dims: value.dims, data: value.data as TensorData[TensorType] } as Tensor;
}

/**
 * The library's view of our tensors, made once for each: the same tensor fed and fetched must be the same memory to
 * the library, or key/value caches would be copied at every step. Weak, so that views die with their tensors.
 */
function createViews(ort: Library): (tensor: Tensor) => OrtTensor {
  const views = new WeakMap<Tensor, OrtTensor>();
  return (tensor) => {
    let view = views.get(tensor);
    if (view === undefined) {
      view = new ort.Tensor(tensor.type, tensor.data, tensor.dims);
      views.set(tensor, view);
    }
    return view;
  };
}

const { port1: nowhere, port2: otherEnd } = new MessageChannel();
otherEnd.close();

/**
 * V8 hardly counts what lies outside of its heap, collects it late, and malloc keeps the holes. What is sent to a port
 * that nobody holds is gone at once, in every Node.js (`ArrayBuffer.prototype.transfer` is there from 22 on).
 */
function release(tensors: Iterable<Tensor>): void {
  const buffers = new Set<ArrayBuffer>();
  for (const { data } of tensors) {
    // empty, or given back before
    if (data.buffer instanceof ArrayBuffer && data.byteLength > 0) buffers.add(data.buffer);
  }
  if (buffers.size > 0) nowhere.postMessage(undefined, [...buffers]);
}

export type OnnxSessionOptions = SessionOptions & {
  /** This processor's int8 kernels overflow: let the library rewrite the weights to unsigned ones. */
  readonly int8Saturates?: boolean;
};

function optimizationLevel({ optimize, int8Saturates }: OnnxSessionOptions): 'all' | 'extended' | 'disabled' {
  if (optimize !== undefined) return optimize === 'all' ? 'all' : 'disabled';
  // the rewriting is one of the extended optimisations
  return int8Saturates === true ? 'extended' : 'disabled';
}

function sessionOptions(
  providers: readonly string[],
  options: OnnxSessionOptions,
): InferenceSession.SessionOptions {
  return {
    executionProviders: [...providers],
    intraOpNumThreads: options.threads ?? 1,
    interOpNumThreads: 1,
    graphOptimizationLevel: optimizationLevel(options),
    executionMode: 'sequential',
    // a plan of the memory for each length of sound it meets: 5 to 10 MB more, and no faster (docs/bench/footprint.md)
    enableMemPattern: false,
    // errors only: what concerns an operator is thrown
    logSeverityLevel: 3,
    // spinning threads would heat a fanless board between two utterances
    extra: {
      session: {
        intra_op: { allow_spinning: '0' },
        inter_op: { allow_spinning: '0' },
        // exact int8 sums; the library heeds it only where its kernels would overflow
        x64quantprecision: '1',
      },
    },
  };
}

/**
 * Opens the ONNX graph at `graphPath` (its external data beside it). `run` blocks the calling thread.
 * Throws `Fault`: MODEL_MISSING, MODEL_INVALID, PROVIDER_UNAVAILABLE.
 */
export async function openOnnxSession(
  graphPath: string,
  executionProviders: readonly string[],
  options: OnnxSessionOptions = {},
): Promise<Session> {
  if (!existsSync(graphPath)) {
    throw new Fault(
      'MODEL_MISSING',
      `there is no graph at ${graphPath}`,
      'check the model directory, or compile the model again with harkd models compile',
    );
  }
  const ort = await onnxruntime();
  let inner: InferenceSession;
  try {
    inner = await ort.InferenceSession.create(graphPath, sessionOptions(executionProviders, options));
  } catch (cause) {
    throw new Fault(
      'MODEL_INVALID',
      `${graphPath} is not a graph onnxruntime can run: ${messageOf(cause)}`,
      'the file may be damaged: compile or install the model again',
      { cause },
    );
  }
  const viewOf = createViews(ort);

  async function run(
    feeds: Readonly<Record<string, Tensor>>,
    fetches: readonly string[],
    into: Readonly<Record<string, Tensor>> = {},
  ): Promise<Record<string, Tensor>> {
    const innerFeeds: Record<string, OrtTensor> = {};
    for (const [name, tensor] of Object.entries(feeds)) innerFeeds[name] = viewOf(tensor);
    const innerFetches: Record<string, OrtTensor | null> = {};
    for (const name of fetches) {
      const target = into[name];
      innerFetches[name] = target === undefined ? null : viewOf(target);
    }
    const outputs = await inner.run(innerFeeds, innerFetches);
    const results: Record<string, Tensor> = {};
    const copies: Tensor[] = [];
    for (const name of fetches) {
      const output = toHost(name, outputs[name] as OnnxValue);
      const target = into[name];
      results[name] = target ?? output;
      // a tensor given was written into; what the library answers for it is a copy (1.30)
      if (target !== undefined && output.data.buffer !== target.data.buffer) copies.push(output);
    }
    release(copies);
    return results;
  }

  return {
    inputNames: inner.inputNames,
    outputNames: inner.outputNames,
    run,
    release,
    close: () => inner.release(),
  };
}
