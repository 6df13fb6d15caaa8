/** What was counted, for people. Instructions are given in millions, and are those inside onnxruntime where it runs. */

import { figure, type Row, renderMarkdown } from '../../daemon/bench/table.ts';
import { frameSamples, sampleRateHz } from '../../daemon/events.ts';
import type { WeightOptions } from '../../models/compiler/matrix.ts';
import { weightsFor } from '../../models/compiler/profiles.ts';
import { boards, type Cpu, profiles } from './machine.ts';
import type { Instructions, Rate, Rates } from './marks.ts';

/** A width at which the compiler chooses by processor. */
const wide = 384;

/** The formats that profiles of boards choose among. */
export const variants: Readonly<Record<string, WeightOptions>> = {
  int8: weightsFor('no-dot-product', wide),
  'int8, decoder int4': weightsFor('dot-product', wide),
};

export type ModelCounts = {
  readonly name: string;
  readonly modelWidth: number;
  readonly promptTokens: number;
  /** Steps of the decoder after the prompt. */
  readonly tokens: number;
  /** `log-mel sound`, and for each variant `<variant> encoder` (log-mel is in it), `... prompt`, `... token`. */
  readonly rates: Readonly<Partial<Record<Cpu, Rates>>>;
  /**
   * On one processor, since the kernels are the same on all: `fp32 ...` for the compiled graphs without quantisation,
   * `plain ...` for those that exporters write, with `plain log-mel` in JavaScript.
   */
  readonly float32: { readonly cpu: Cpu; readonly rates: Rates } | undefined;
};

/** One run of the command. */
export type Part = { readonly at: string; readonly command: string; readonly commit: string };

export type Report = {
  readonly parts: readonly Part[];
  readonly harkd: string;
  readonly qemu: string;
  readonly onnxruntime: string;
  readonly soundMs: number;
  readonly detector: Readonly<Partial<Record<Cpu, Rate>>>;
  readonly models: readonly ModelCounts[];
};

function joinModel(earlier: ModelCounts | undefined, later: ModelCounts): ModelCounts {
  if (earlier === undefined) return later;
  const sizes = ({ modelWidth, promptTokens, tokens }: ModelCounts) =>
    `${[modelWidth, promptTokens, tokens]}`;
  if (sizes(earlier) !== sizes(later)) throw new Error(`${later.name} is another model than in the report`);
  return {
    ...later,
    rates: { ...earlier.rates, ...later.rates },
    float32: later.float32 ?? earlier.float32,
  };
}

/**
 * What an earlier report has, with what was counted since in its place. Throws if they are of other models or versions,
 * as far as that shows: the commits stand beside each other in the report.
 */
export function joinReports(earlier: Report, later: Report): Report {
  for (const key of ['harkd', 'qemu', 'onnxruntime', 'soundMs'] as const) {
    if (earlier[key] !== later[key])
      throw new Error(`the report has ${key} ${earlier[key]}, here it is ${later[key]}`);
  }
  const names = new Set([...earlier.models, ...later.models].map(({ name }) => name));
  const of = ({ models }: Report, wanted: string) => models.find(({ name }) => name === wanted);
  return {
    ...later,
    parts: [...earlier.parts, ...later.parts],
    detector: { ...earlier.detector, ...later.detector },
    models: Array.from(names, (name) => {
      const counted = of(later, name);
      return counted === undefined
        ? (of(earlier, name) as ModelCounts)
        : joinModel(of(earlier, name), counted);
    }),
  };
}

/** What the compiler would use for a model of this width on this processor. */
export function chosenVariant(cpu: Cpu, modelWidth: number): string {
  const wanted = JSON.stringify(weightsFor(profiles[cpu], modelWidth));
  const found = Object.entries(variants).find(([, weights]) => JSON.stringify(weights) === wanted);
  if (found === undefined) throw new Error(`${wanted} is not among what is counted`);
  return found[0];
}

/** One way to recognise on one processor; the encoder with log-mel, a second of sound. */
export type Way = {
  readonly cpu: Cpu;
  readonly graphs: string;
  readonly logMel: number;
  readonly encoder: number;
  readonly prompt: number;
  readonly token: number;
  /** Samples to text, of sound as long as what was counted. */
  readonly utterance: number;
  /** Besides, in JavaScript and between it and the library. */
  readonly outside: number;
};

const plainGraphs = 'plain fp32, 30 s';

function wayOf(
  cpu: Cpu,
  graphs: string,
  rates: Rates,
  logMel: Rate,
  model: ModelCounts,
  soundMs: number,
): Way {
  const rate = (stage: string): Rate => {
    const found = rates[`${graphs === plainGraphs ? 'plain' : graphs} ${stage}`];
    if (found === undefined) throw new Error(`${graphs} ${stage} was not counted on ${cpu}`);
    return found;
  };
  const together = (part: keyof Instructions, melApart: number): number =>
    ((rate('encoder')[part] + melApart) * soundMs) / 1000 +
    rate('prompt')[part] +
    rate('token')[part] * model.tokens;
  // thirty seconds of it, in JavaScript: nothing of it is in the library, and all of it is the graphs' due
  const melApart = graphs === plainGraphs ? logMel.all : 0;
  const utterance = together('inLibrary', melApart);
  return {
    cpu,
    graphs,
    logMel: graphs === plainGraphs ? logMel.all : logMel.inLibrary,
    encoder: rate('encoder').inLibrary + melApart,
    prompt: rate('prompt').inLibrary,
    token: rate('token').inLibrary,
    utterance,
    outside: together('all', melApart) - utterance,
  };
}

/** All that was counted of a model, by processor, then what was counted on one only. */
export function waysOf(model: ModelCounts, soundMs: number): Way[] {
  const ways: Way[] = [];
  for (const [cpu, rates] of Object.entries(model.rates) as [Cpu, Rates][]) {
    for (const graphs of Object.keys(variants)) {
      ways.push(wayOf(cpu, graphs, rates, rates['log-mel sound'] as Rate, model, soundMs));
    }
  }
  if (model.float32 === undefined) return ways;
  const { cpu, rates } = model.float32;
  const fused = model.rates[cpu]?.['log-mel sound'] as Rate;
  ways.push(wayOf(cpu, 'fp32', rates, fused, model, soundMs));
  const javascript = rates['plain log-mel'];
  if (javascript !== undefined) ways.push(wayOf(cpu, plainGraphs, rates, javascript, model, soundMs));
  return ways;
}

const millions = (instructions: number): number => instructions / 1e6;

const header = [
  'processor',
  'graphs',
  'log-mel, M/s',
  'encoder, M/s',
  'prompt, M',
  'token, M',
  'utterance, M',
  'plain has',
  'outside, M',
];

function tableOf(model: ModelCounts, soundMs: number): string {
  const ways = waysOf(model, soundMs);
  const plain = ways.find(({ graphs }) => graphs === plainGraphs)?.utterance;
  const rows = ways.map(
    ({ cpu, graphs, logMel, encoder, prompt, token, utterance, outside }): Row => [
      cpu,
      graphs === chosenVariant(cpu, model.modelWidth) ? `**${graphs}**` : graphs,
      ...[logMel, encoder, prompt, token, utterance].map(millions),
      plain === undefined || graphs === plainGraphs ? '' : `${figure(plain / utterance)}×`,
      millions(outside),
    ],
  );
  return renderMarkdown(header, rows);
}

/** What the formats that are not chosen would need, a sentence for each processor. */
export function verdicts(model: ModelCounts, soundMs: number): string[] {
  const ways = waysOf(model, soundMs).filter(({ graphs }) => graphs !== plainGraphs);
  return (Object.keys(model.rates) as Cpu[]).map((cpu) => {
    const chosen = chosenVariant(cpu, model.modelWidth);
    const own = ways.find((way) => way.cpu === cpu && way.graphs === chosen) as Way;
    const others = ways
      .filter(({ graphs, ...way }) => graphs !== chosen && (way.cpu === cpu || graphs === 'fp32'))
      .map(
        ({ graphs, encoder, token }) =>
          `${graphs} ${figure(encoder / own.encoder)} times as many in the encoder and ` +
          `${figure(token / own.token)} times a token`,
      );
    return `${cpu} (${profiles[cpu]}) gets ${chosen}; of its instructions need: ${others.join('; ')}.`;
  });
}

function detectorTable({ detector }: Report): string {
  const frameMs = (1000 * frameSamples) / sampleRateHz;
  const rows = (Object.entries(detector) as [Cpu, Rate][]).map(
    ([cpu, { all }]): Row => [cpu, boards[cpu], millions(all), (millions(all) * 1000) / frameMs],
  );
  return renderMarkdown(['processor', 'board', 'frame, M', 'second, M'], rows);
}

export function renderReport(report: Report): string {
  const { parts } = report;
  const written = parts.map(({ command, commit }) => `\`${command}\` at ${commit}`).join(', then ');
  const lines = [
    `# Instructions on arm64, ${parts[0]?.at.slice(0, 10)}`,
    '',
    `Written by ${written}, harkd ${report.harkd}, onnxruntime ${report.onnxruntime} for ` +
      `linux-arm64, ${report.qemu}. **Millions of instructions, not times**: [arm64.md](arm64.md) says how they are ` +
      'counted, and what they leave out.',
    '',
    `One thread, ${report.soundMs / 1000} s of sound. Encoder has log-mel in it; both are for a second of sound. Utterance: ` +
      'samples to text. Outside: what an utterance takes besides, in JavaScript and between it and the library. Bold: what ' +
      'harkd compiles for the processor. Float32 is counted on one processor: its kernels are the same on all.',
    ...report.models.flatMap((model) => [
      '',
      `## ${model.name}, width ${model.modelWidth}: a prompt of ${model.promptTokens}, ${model.tokens} tokens`,
      '',
      tableOf(model, report.soundMs).trimEnd(),
      '',
      ...verdicts(model, report.soundMs).map((sentence) => `- ${sentence}`),
    ]),
    '',
    '## Voice-activity detector, everything counted',
    '',
    detectorTable(report).trimEnd(),
  ];
  return `${lines.join('\n')}\n`;
}
