/**
 * What work ahead of time saves and costs: the embedded model hears the demonstration in real time, with and without
 * eager finals and partials, in turns. Prints the tables of docs/bench/eager-*.md, and writes the raw figures:
 *
 *   node dist/test/bench/eager.js [rounds] > /tmp/eager.md
 */
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import type { AheadOptions } from '../../daemon/ahead.ts';
import { summarize } from '../../daemon/bench/statistics.ts';
import { readLoad, readSurroundings } from '../../daemon/bench/surroundings.ts';
import { renderMarkdown } from '../../daemon/bench/table.ts';
import { fileSource } from '../../daemon/capture/file.ts';
import type { DaemonEvent } from '../../daemon/events.ts';
import { openVad } from '../../daemon/hearing.ts';
import { MuteSwitch } from '../../daemon/mute.ts';
import { listen } from '../../daemon/pipeline.ts';
import { SegmentQueue } from '../../daemon/queue.ts';
import { startRecognizer } from '../../daemon/recognizer/client.ts';
import { Segmenter } from '../../daemon/segmenter.ts';
import { embeddedSetup, packageDir } from '../fixtures/daemon.ts';
import { demoDir, sentencesOf } from '../fixtures/demo.ts';
import { plotStrips } from './strips.ts';

const rounds = Number(process.argv[2] ?? 3);
const recording = 'household.wav';
const threads = 2;
/** What the card of the embedded model asks for. */
const padding = { beforeMs: 200, afterMs: 200 };

const settings: Readonly<Record<string, AheadOptions>> = {
  neither: { eager: false, partialEveryMs: undefined },
  'eager finals': { eager: true, partialEveryMs: undefined },
  partials: { eager: false, partialEveryMs: 480 },
  both: { eager: true, partialEveryMs: 480 },
};

type Measured = {
  readonly setting: string;
  readonly texts: readonly string[];
  /** From the last sample of speech, as the recording was made, to the final. */
  readonly fromSpeechMs: readonly number[];
  /** From the end of the hangover to the final. */
  readonly fromHangoverMs: readonly number[];
  /** From the first sample of speech to the first partial. */
  readonly firstPartialMs: readonly number[];
  readonly partials: number;
  readonly runs: number;
  readonly runsAhead: number;
  /** Of the recognizer process, all of its threads. */
  readonly cpuMs: number;
  readonly load: number;
};

/** Processor time of a process in ms: fields 14 and 15 of proc(5) stat, in ticks of 10 ms. */
function cpuMsOf(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) * 10;
}

async function measure(setting: string, ahead: AheadOptions): Promise<Measured> {
  const detectSpeech = await openVad(packageDir);
  const recognizer = startRecognizer({
    setup: { ...embeddedSetup, provider: 'cpu', threads },
    emit: () => undefined,
    environment: process.env,
    deadlineMs: 60_000,
  });
  await recognizer.loaded;
  const sentences = sentencesOf(recording);
  const transcripts: { text: string; atMs: number; sinceClosedMs: number }[] = [];
  const firstPartial = new Map<string, number>();
  let partials = 0;
  let runs = 0;
  let runsAhead = 0;
  let closedAtMs = 0;
  let startedAtMs = 0;
  const emit = (event: DaemonEvent): void => {
    const atMs = performance.now() - startedAtMs;
    if (event.type === 'microphone' && event.state === 'listening') startedAtMs = performance.now();
    if (event.type === 'transcript') {
      transcripts.push({ text: event.transcript.text, atMs, sinceClosedMs: performance.now() - closedAtMs });
    }
    if (event.type !== 'partial') return;
    partials++;
    if (!firstPartial.has(event.partial.id)) firstPartial.set(event.partial.id, atMs);
  };
  let count = 0;
  /** The clock of `closedAtMs` to a fraction of a millisecond: `latencyMs` is rounded. */
  class Watched extends Segmenter {
    override push(...args: Parameters<Segmenter['push']>) {
      const events = super.push(...args);
      for (const event of events) if (event.type === 'segment') closedAtMs = event.segment.closedAtMs;
      return events;
    }
  }
  // the first run of a graph is slower than all others, whatever the setting
  const warm = { id: 'warm', startSample: 0, endSample: 48_000, samples: new Float32Array(48_000) };
  for (let i = 0; i < 3; i++) await recognizer.transcribe(warm);
  const cpuBeforeMs = cpuMsOf(recognizer.pid() ?? 0);
  const signal = new AbortController().signal;
  await listen({
    source: fileSource(path.join(demoDir, recording), { pace: 'realtime', emit }),
    detectSpeech,
    createSegmenter: () => new Watched({ nextId: () => `s${++count}`, padding }),
    queue: new SegmentQueue(),
    recognizer: {
      ...recognizer,
      transcribe(utterance, urgency) {
        runs++;
        if (urgency === 'ahead') runsAhead++;
        return recognizer.transcribe(utterance, urgency);
      },
    },
    mute: new MuteSwitch(false, () => undefined),
    emit,
    origin: () => ({ model: 'nano', provider: 'cpu', microphone: recording }),
    signal,
    giveUp: signal,
    ahead,
  });
  const cpuMs = cpuMsOf(recognizer.pid() ?? 0) - cpuBeforeMs;
  await recognizer.close();
  // the speed of the recognizer is learnt from the first utterance: it is the same in all settings, and left out
  const counted = transcripts
    .map((transcript, index) => ({ ...transcript, spoken: sentences[index] }))
    .slice(1);
  return {
    setting,
    texts: transcripts.map(({ text }) => text),
    fromSpeechMs: counted.map(({ atMs, spoken }) => atMs - (spoken?.endMs ?? Number.NaN)),
    fromHangoverMs: counted.map(({ sinceClosedMs }) => sinceClosedMs),
    firstPartialMs: [...firstPartial].map(
      ([id, atMs]) => atMs - (sentences[Number(id.slice(1)) - 1]?.startMs ?? Number.NaN),
    ),
    partials,
    runs,
    runsAhead,
    cpuMs,
    load: readLoad(),
  };
}

const all: Measured[] = [];
for (let round = 0; round < rounds; round++) {
  // in another order each time, so that no setting has the quiet minutes for itself
  const names = Object.keys(settings);
  for (let i = 0; i < names.length; i++) {
    const name = names[(i + round) % names.length] ?? '';
    all.push(await measure(name, settings[name] as AheadOptions));
    process.stderr.write(`round ${round + 1}, ${name}: load ${all.at(-1)?.load}\n`);
  }
}
const spoken = sentencesOf(recording).map(({ text }) => text);
const wrong = all.filter(({ texts }) => texts.join() !== spoken.join());
const rows = Object.keys(settings).map((name) => {
  const of = all.filter(({ setting }) => setting === name);
  const utterances = of.length * spoken.length;
  const sum = (pick: (one: Measured) => number): number => of.reduce((total, one) => total + pick(one), 0);
  const fromSpeech = summarize(of.flatMap((one) => one.fromSpeechMs));
  const fromHangover = summarize(of.flatMap((one) => one.fromHangoverMs));
  const first = of.flatMap((one) => one.firstPartialMs);
  return {
    latency: [
      name,
      fromSpeech.median,
      fromSpeech.p95,
      fromHangover.median,
      fromHangover.p95,
      fromHangover.max,
    ],
    cost: [
      name,
      sum((one) => one.cpuMs) / utterances,
      sum((one) => one.runs) / utterances,
      sum((one) => one.partials) / utterances,
      first.length === 0 ? undefined : summarize(first).median,
    ],
  };
});
const { cpu, cores, node } = readSurroundings();
const loads = all.map(({ load }) => load);
console.log(
  `${cpu}, ${cores} cores, Node ${node}, ${threads} threads; load ${Math.min(...loads)} to ${Math.max(...loads)}`,
);
console.log(`${all.length} times ${spoken.length} sentences, ${wrong.length} runs with another text\n`);
console.log(
  renderMarkdown(
    ['ms', 'speech end to final, median', 'p95', 'hangover end to final, median', 'p95', 'max'],
    rows.map(({ latency }) => latency),
  ),
);
console.log(
  renderMarkdown(
    ['an utterance', 'CPU, ms', 'recognitions', 'partials', 'first partial after, ms'],
    rows.map(({ cost }) => cost),
  ),
);
writeFileSync('/tmp/eager.json', JSON.stringify(all, undefined, 1));
writeFileSync(
  '/tmp/eager.svg',
  plotStrips({
    title: 'From the end of the hangover to the final, household.wav, embedded model',
    unit: 'ms',
    strips: Object.keys(settings).map((name) => ({
      name,
      values: all.filter(({ setting }) => setting === name).flatMap((one) => one.fromHangoverMs),
    })),
  }),
);
