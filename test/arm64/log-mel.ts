/** The part of a compiled encoder that makes log-mel of sound, as a graph of its own. */
import { readArchitecture } from '../../models/compiler/architecture.ts';
import { buildEncoder } from '../../models/compiler/fused-encoder.ts';
import { encodeModel, type OnnxModel } from '../../models/graph/onnx.ts';
import { writeGraph } from '../graph-files.ts';

/** The same graph with the one output, and with nothing that it does not need. */
export function onlyFor(output: string, model: OnnxModel): OnnxModel {
  const { graph } = model;
  const needed = new Set([output]);
  const nodes = graph.nodes
    .toReversed()
    .filter(({ inputs, outputs }) => {
      if (!outputs.some((name) => needed.has(name))) return false;
      for (const name of inputs) needed.add(name);
      return true;
    })
    .reverse();
  if (nodes.length === 0) throw new Error(`no node of the graph makes ${output}`);
  return {
    ...model,
    graph: {
      ...graph,
      nodes,
      initializers: graph.initializers.filter(({ name }) => needed.has(name)),
      outputs: graph.outputs.filter(({ name }) => name === output),
    },
  };
}

/** Writes it to `dir` for the model in `modelDir`: `pcm` float32 [samples] to `log_mel`. Answers the path of the graph. */
export function writeLogMel(modelDir: string, dir: string): string {
  const options = { weights: 'fp32', exceptions: {}, inspect: true } as const;
  const built = buildEncoder(readArchitecture(modelDir), 'log-mel.bin', options);
  const model = onlyFor('log_mel', built.model);
  return writeGraph(dir, 'log-mel', 'log-mel.bin', { ...built, model, bytes: encodeModel(model) });
}
