/** Word errors as a page of docs/bench. */
import type { Surroundings } from '../../../daemon/bench/surroundings.ts';
import { type Row, renderMarkdown } from '../../../daemon/bench/table.ts';
import type { Gate, GatedNoise } from './gates.ts';
import type { Score } from './heard.ts';
import type { Rate } from './interval.ts';
import type { Inventions } from './inventions.ts';
import type { RecordingsScore } from './recordings.ts';

export type ScoredVariant = {
  readonly name: string;
  readonly megabytes: number;
  readonly usualOn: readonly string[];
};

/** Some of the sounds, and the score of each variant on them. */
export type Part = {
  readonly of: string;
  readonly utterances: number;
  readonly words: number;
  readonly scores: Readonly<Record<string, Score>>;
};

export type Difference = {
  readonly voice: string;
  readonly said: string;
  readonly base: string;
  readonly other: string;
};

export type Parts = {
  /** Undefined where nothing was spoken. */
  readonly clean: Part | undefined;
  readonly everything: Part | undefined;
  readonly bySnr: readonly Part[];
  readonly byNoise: readonly Part[];
  readonly byVoice: readonly Part[];
  readonly byTraining: readonly Part[];
  /** Clean sentences of which the second variant made another text than the first. */
  readonly differences: readonly Difference[];
};

export type Report = Parts & {
  readonly at: string;
  readonly command: string;
  readonly harkd: string;
  readonly commit: string | undefined;
  readonly machine: Surroundings;
  readonly model: { readonly name: string; readonly version: string };
  readonly versions: Readonly<Record<string, string>>;
  readonly skipped: readonly { readonly what: string; readonly reason: string }[];
  /** Where the sentences are from, if not from here. */
  readonly corpus?: string | undefined;
  readonly seed: number;
  readonly cpuSeconds: number;
  readonly minAvgLogProb: number;
  /** Texts followed at once. Undefined in reports from before there was a choice: 1. */
  readonly beamSize?: number;
  readonly variants: readonly ScoredVariant[];
  readonly inventions: readonly Inventions[];
  readonly recordings: RecordingsScore | undefined;
  /** Of the second variant. Undefined in reports from before they were counted. */
  readonly gates?: readonly Gate[];
};

/** What was promised of int8, in points of the word error rate. */
export const mostPointsLost = 0.5;

const points = (share: number): string => {
  const value = (100 * share).toFixed(2);
  // what rounds to zero has no sign
  return value === '-0.00' ? '0.00' : value;
};
const signed = (share: number): string => (Number(points(share)) > 0 ? `+${points(share)}` : points(share));
const rateText = (rate: Rate | undefined): string =>
  rate === undefined
    ? '-'
    : `${(100 * rate.rate).toFixed(1)} (${(100 * rate.low).toFixed(1)} to ${(100 * rate.high).toFixed(1)})`;
const differenceText = (rate: Rate | undefined): string =>
  rate === undefined ? '-' : `${signed(rate.rate)} (${signed(rate.low)} to ${signed(rate.high)})`;

/** Whether the promise is kept on these sounds: by the figure itself, and by all of its interval. */
export function verdictOn({ difference }: Score): 'kept' | 'kept, but not beyond chance' | 'broken' {
  if (difference === undefined || 100 * difference.rate > mostPointsLost) return 'broken';
  return 100 * difference.high <= mostPointsLost ? 'kept' : 'kept, but not beyond chance';
}

function verdictLine({ of, scores }: Part, base: string, name: string): string {
  const score = scores[name];
  if (score === undefined) return '';
  return `- **${of}: ${verdictOn(score)}.** ${name} ${rateText(score.wer)} %, ${base} ${rateText(scores[base]?.wer)} %; difference ${differenceText(score.difference)} points; another text for ${score.otherTexts} of ${score.sounds} sounds.`;
}

function overview({ variants, clean }: Report): string {
  if (clean === undefined) return '';
  const rows = variants.map(({ name, megabytes }): Row => {
    const score = clean.scores[name] as Score;
    const { substitutions, insertions, deletions } = score.errors;
    return [
      name,
      megabytes.toFixed(1),
      rateText(score.wer),
      name === variants[0]?.name ? '' : differenceText(score.difference),
      String(substitutions),
      String(insertions),
      String(deletions),
      String(score.empty),
      String(score.withheld),
      rateText(score.publishedWer),
      name === variants[0]?.name ? '' : differenceText(score.publishedDifference),
    ];
  });
  const header = [
    'weights',
    'MB',
    'WER, %',
    'to fp32, points',
    'substituted',
    'inserted',
    'left out',
    'no text',
    'withheld',
    'WER of what is published, %',
    'to fp32, points',
  ];
  return renderMarkdown(header, rows);
}

/** WER of each variant and, for all but the first, the difference to it. */
function tableOf(parts: readonly Part[], variants: readonly ScoredVariant[]): string {
  const [base, ...others] = variants;
  const header = [
    '',
    'utterances',
    'words',
    `${base?.name}, %`,
    ...others.flatMap(({ name }) => [`${name}, %`, 'points']),
  ];
  const rows = parts.map(
    ({ of, utterances, words, scores }): Row => [
      of,
      String(utterances),
      String(words),
      rateText(scores[base?.name ?? '']?.wer),
      ...others.flatMap(({ name }) => [
        (100 * (scores[name]?.wer?.rate ?? Number.NaN)).toFixed(1),
        differenceText(scores[name]?.difference),
      ]),
    ],
  );
  return renderMarkdown(header, rows);
}

function inventionsTable(inventions: readonly Inventions[]): string {
  const rows = inventions.map(({ sound, minutes, segments, written, published, examples }): Row => {
    const anHour = ((published * 60) / minutes).toFixed(0);
    const quoted = examples.map((text) => `"${text}"`).join(', ');
    return [sound, String(minutes), String(segments), String(written), String(published), anHour, quoted];
  });
  const header = [
    'sound',
    'minutes',
    'taken for speech',
    'words found',
    'published',
    'an hour',
    'for example',
  ];
  return renderMarkdown(header, rows);
}

const mostDifferences = 20;

function differencesSection({ differences, variants }: Report): string[] {
  const [base = '', shipped = ''] = variants.map(({ name }) => name);
  const rows = differences
    .slice(0, mostDifferences)
    .map(({ voice, said, base: one, other }): Row => [voice, said, one, other]);
  const rest = differences.length - rows.length;
  return [
    `## Where ${shipped} and ${base} differ`,
    '',
    `In ${differences.length} clean sentences${rest > 0 ? `, of which these are the first ${rows.length}` : ''}.`,
    '',
    ...(rows.length === 0 ? [] : [renderMarkdown(['voice', 'said', base, shipped], rows)]),
  ];
}

function recordingsSection({ recordings, variants }: Report): string[] {
  if (recordings === undefined) return [];
  const rows = variants.map(
    ({ name }): Row => [
      name,
      rateText(recordings.found[name]),
      name === variants[0]?.name ? '' : differenceText(recordings.difference[name]),
      rateText(recordings.foundPublished[name]),
    ],
  );
  return [
    '## People',
    '',
    `${recordings.recordings} recordings, of which ${recordings.labels} spoken words are labelled, through detector and segmenter as a whole. Their other words are not known, so this is no word error rate: it is the share of the labelled words that were heard. They were not trained or tuned with, and are not part of harkd.`,
    '',
    renderMarkdown(
      ['weights', 'labelled words written, %', 'to fp32, points', 'labelled words published, %'],
      rows,
    ),
  ];
}

function gatesSection({ gates, minAvgLogProb: own, variants, recordings }: Report): string[] {
  if (gates === undefined) return [];
  const percent = (rate: Rate | undefined): string =>
    rate === undefined ? '-' : (100 * rate.rate).toFixed(1);
  const ofSegments = (noise: GatedNoise | undefined): string =>
    noise === undefined ? '-' : `${noise.passed} of ${noise.segments}`;
  const nameOf = ({ minAvgLogProb: gate }: Gate): string => {
    if (gate === undefined) return 'none';
    const name = Number.isInteger(gate) ? gate.toFixed(1) : String(gate);
    return gate === own ? `**${name}**` : name;
  };
  const rows = gates.map((gate): Row => {
    const { clean, noisy, people, babble, otherSounds } = gate;
    return [
      nameOf(gate),
      ...[clean, noisy].flatMap(({ passed, wer }) => [percent(passed), percent(wer)]),
      ...(recordings === undefined ? [] : [percent(people)]),
      ofSegments(babble),
      ofSegments(otherSounds),
    ];
  });
  const header = [
    'gate',
    'clean: texts passed, %',
    'their WER, %',
    'in noise: texts passed, %',
    'their WER, %',
    ...(recordings === undefined ? [] : ['people: labelled words published, %']),
    'babble: texts passed',
    'other sounds without words',
  ];
  return [
    '## Gates',
    '',
    `What ${variants[1]?.name} would publish if texts were withheld below another mean log-probability; in bold that of the card. In noise is 20 to 0 dB together; babble and other sounds are those of "Texts out of nothing", of the segments that the detector took for speech. How far chance reaches is in the data.`,
    '',
    renderMarkdown(header, rows),
  ];
}

export function renderReport(report: Report, data: string): string {
  const { machine, variants, versions, clean, everything, beamSize = 1 } = report;
  const [base, shipped] = variants.map(({ name }) => name);
  const engines = Object.entries(versions).map(([name, version]) => `${name} ${version}`);
  const usual = variants.filter(({ usualOn }) => usualOn.length > 0);
  const speech =
    clean === undefined || everything === undefined
      ? ['**No speech was measured**: no engine is installed.', '']
      : [
          `Within ${mostPointsLost} points of fp32 was promised of int8:`,
          '',
          verdictLine(clean, base ?? '', shipped ?? ''),
          verdictLine(everything, base ?? '', shipped ?? ''),
          '',
          '## Clean',
          '',
          overview(report),
          `${clean.utterances} different sentences, ${clean.words} words, each by one of ${report.byVoice.length} voices. In brackets: 95 % of 2000 draws of the utterances (bootstrap; the sounds of one sentence are drawn together, differences are paired). "No text" and "withheld" count utterances; withheld is a text with a mean log-probability below ${report.minAvgLogProb}, as the card of the model has it. WER counts what the decoder wrote; in that of what is published, a text withheld counts as words left out.`,
          '',
          ...usual.map(
            ({ name, usualOn }) =>
              `- Taken by itself on ${usualOn.join(', ')}: ${name}. Sums of int8 are exact on all of them.`,
          ),
          '',
          '## In noise',
          '',
          tableOf(report.bySnr, variants),
          'The same utterances; white noise, pink noise and babble (four other utterances at a time) in turn, so that each utterance meets each kind. By kind, 20 to 0 dB:',
          '',
          tableOf(report.byNoise, variants),
          '## By voice, clean',
          '',
          tableOf([...report.byVoice, ...report.byTraining], variants),
          ...differencesSection(report),
        ];
  const lines = [
    `# Word errors of the embedded model, ${report.at.slice(0, 10)}`,
    '',
    `Written by \`${report.command}\` in ${report.cpuSeconds.toFixed(0)} s of the processor; all figures are in [${data}](${data}). harkd ${report.harkd}${report.commit === undefined ? '' : ` at ${report.commit}`}, ${report.model.name} ${report.model.version}, ${beamSize === 1 ? 'greedy decoding' : `beam of ${beamSize}`}, one thread. ${machine.board ?? machine.cpu}, ${machine.kernel}, Node ${machine.node}. Voices: ${report.corpus === undefined ? engines.join(', ') || 'none' : `those of ${report.corpus}`}; seed ${report.seed}.`,
    '',
    report.corpus !== undefined
      ? `Spoken by machines: expect more errors of people.`
      : 'The sentences were written by a grammar of its own from words the model was trained with ([sentences.ts](../../test/bench/word-errors/sentences.ts)) and spoken by machines: compare formats with each other, and expect more errors of people. The utterances behind the figures in `models/embedded/README.md` were not stored: this set is another.',
    '',
    ...report.skipped.map(({ what, reason }) => `- **Skipped, ${what}**: ${reason}`),
    ...(report.skipped.length === 0 ? [] : ['']),
    ...speech,
    '## Texts out of nothing',
    '',
    `int8, through detector, segmenter and recognizer as the daemon has them, in turn at -50, -35, -20 and -10 dBFS (ten seconds each). Babble is speech, but nobody speaks to the device.`,
    '',
    inventionsTable(report.inventions),
    ...recordingsSection(report),
    ...gatesSection(report),
  ];
  return `${lines.join('\n').trimEnd()}\n`;
}
