/**
 * How long after somebody has stopped speaking the words are on the captions page: the daemon as a user starts it hears
 * the demonstration at the pace of a microphone, a real browser follows. Prints the tables of docs/bench/page-*.md:
 *
 *   npm run build && node dist/test/bench/page.js [rounds] > docs/bench/page-DATE.md
 */
import type { Browser } from 'playwright-core';
import { type Summary, summarize } from '../../daemon/bench/statistics.ts';
import { readLoad, readSurroundings } from '../../daemon/bench/surroundings.ts';
import { renderMarkdown } from '../../daemon/bench/table.ts';
import { frameSamples } from '../../daemon/events.ts';
import { soundOf } from '../daemon/sound.ts';
import { startChromium } from '../fixtures/chromium.ts';
import { startDaemon } from '../fixtures/daemon.ts';
import { household, sentencesOf } from '../fixtures/demo.ts';
import { s16Of } from '../fixtures/wav.ts';
import { frameMs } from './stream.ts';

const rounds = Number(process.argv[2] ?? 3);
const sentences = sentencesOf('household.wav');
/** Behind the last sentence, so that it ends. */
const silenceFrames = 40;

/** What a line of the page said, and when; the clock is that of the machine, for the page and for us. */
type Sight = { readonly atMs: number; readonly text: string; readonly isFinal: boolean };

/**
 * In the page: notes each change of the captions when it is about to be drawn. As text, because it is not compiled for
 * this side.
 */
const watchCaptions = `
  window.sights = [];
  const roll = document.getElementById('roll');
  new MutationObserver(() => requestAnimationFrame(() => {
    for (const line of roll.querySelectorAll('p')) {
      window.sights.push({ atMs: Date.now(), text: line.textContent, isFinal: line.dataset.state === 'final' });
    }
  })).observe(roll, { subtree: true, childList: true, characterData: true, attributes: true });
`;

type Seen = {
  readonly text: string;
  readonly firstWordsMs: number;
  readonly allWordsMs: number;
  readonly finalMs: number;
};

async function hearOnce(browser: Browser, frames: readonly Buffer[]): Promise<Seen[]> {
  const daemon = startDaemon(['--source', 'stdin', '--http', '127.0.0.1:0'], {}, { verbose: false });
  const { url } = await daemon.logged('the web page', ({ msg }) => msg.startsWith('web page on'));
  const page = await browser.newPage();
  await page.goto(`${String(url)}?hold=0`);
  await page.waitForSelector('html[data-stream="live"]', { state: 'attached' });
  await page.evaluate(watchCaptions);
  await daemon.logged('a loaded model', ({ msg }) => msg === 'recognizer ready');

  const startedAtMs = Date.now();
  for (const [index, frame] of frames.entries()) {
    // a frame is there when its last sample has been spoken
    const dueMs = startedAtMs + (index + 1) * frameMs - Date.now();
    if (dueMs > 0) await new Promise((resolve) => setTimeout(resolve, dueMs));
    daemon.process.stdin?.write(frame);
  }
  const sights = await page.evaluate<Sight[]>('window.sights');
  await page.close();
  await daemon.stop();

  return sentences.map(({ text, startMs, endMs }) => {
    const first = (what: string, test: (sight: Sight) => boolean): number => {
      const found = sights.find((sight) => sight.atMs > startedAtMs + startMs && test(sight));
      if (found === undefined) throw new Error(`${what} of "${text}" never came to the page`);
      return found.atMs - startedAtMs;
    };
    const [word = ''] = text.split(' ');
    return {
      text,
      firstWordsMs:
        first('the first word', (sight) => !sight.isFinal && sight.text.trim().startsWith(word)) - startMs,
      allWordsMs: first('all words', (sight) => sight.text.trim() === text) - endMs,
      finalMs: first('the final', (sight) => sight.isFinal && sight.text.trim() === text) - endMs,
    };
  });
}

const sound = await soundOf(household);
const frames = [
  ...Array.from({ length: Math.ceil(sound.length / frameSamples) }, (_, i) =>
    s16Of(sound.subarray(i * frameSamples, (i + 1) * frameSamples)),
  ),
  ...Array.from({ length: silenceFrames }, () => s16Of(new Float32Array(frameSamples))),
];
const loads = [readLoad()];
const browser = await startChromium();
const seen: Seen[] = [];
for (let round = 0; round < rounds; round++) {
  seen.push(...(await hearOnce(browser, frames)));
  loads.push(readLoad());
  process.stderr.write(`round ${round + 1} of ${rounds}\n`);
}
const version = browser.version();
await browser.close();

const { cpu, cores, node } = readSurroundings();
const row = (what: string, { median, p95, max }: Summary) => [what, median, p95, max];
console.log(`# From the end of speech to words on the captions page

Written by \`node dist/test/bench/page.js ${rounds}\` on ${new Date().toISOString().slice(0, 10)}. ${cpu}, ${cores} cores, Node ${node}, Chromium ${version}, embedded model; load
${Math.min(...loads)} to ${Math.max(...loads)}. The daemon as a user starts it hears the ${sentences.length} sentences of household.wav ${rounds} times through its standard
input, at the pace of a microphone; the browser follows the captions page and notes what is about to be drawn. Speech
begins and ends where the recording was made to. The hangover of 600 ms, which tells an end from a pause, is included.
`);
console.log(
  renderMarkdown(
    ['ms', 'median', 'p95', 'max'],
    [
      row(
        'speech begins to its first word on the page (interim)',
        summarize(seen.map((one) => one.firstWordsMs)),
      ),
      row(
        'speech ends to all of its words on the page (interim or final)',
        summarize(seen.map((one) => one.allWordsMs)),
      ),
      row('speech ends to the settled final on the page', summarize(seen.map((one) => one.finalMs))),
    ],
  ),
);
