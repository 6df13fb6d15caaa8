/**
 * Takes the pictures of docs/http.md: the pages as they are, in Debian's Chromium.
 *
 *   npm run screenshots
 */
import { mkdirSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import type { Browser, BrowserContextOptions, Page } from 'playwright-core';
import type { DaemonEvent } from '../../../../daemon/events.ts';
import { startChromium } from '../../../fixtures/chromium.ts';
import { transcriptOf } from '../../../fixtures/daemon-events.ts';
import type { HttpRig } from '../../../fixtures/http.ts';
import { httpRig, wellEvents } from '../../../fixtures/http.ts';
import { randomFrom } from '../../../random.ts';

const imagesDir = path.join(import.meta.dirname, '../../../../../docs/images');
mkdirSync(imagesDir, { recursive: true });

let seq = 0;
function say(text: string, language = 'en', latencyMs = 420, confidence = 0.93): DaemonEvent {
  seq += 1;
  return { type: 'transcript', transcript: { ...transcriptOf(seq, text), language, latencyMs, confidence } };
}
const saying = (text: string, stableChars: number, language = 'en'): DaemonEvent => ({
  type: 'partial',
  partial: { id: 'next', rev: ++seq, text, stableChars, language },
});

async function open(browser: Browser, url: string, options: BrowserContextOptions = {}): Promise<Page> {
  const context = await browser.newContext({ viewport: { width: 1280, height: 720 }, ...options });
  const page = await context.newPage();
  await page.goto(url);
  await page.waitForSelector('html[data-stream="live"], #mute:not([disabled])', { state: 'attached' });
  return page;
}

async function take(page: Page, name: string): Promise<void> {
  // until everything has rolled, faded and settled
  await page.evaluate(
    'Promise.all(document.getAnimations().map((one) => one.playState === "running" && one.effect.getTiming().iterations !== Infinity ? one.finished : 0))',
  );
  await page.evaluate('new Promise((done) => setTimeout(done, 600))');
  await page.screenshot({ path: path.join(imagesDir, `${name}.png`) });
  await page.context().close();
}

async function captionsIn(browser: Browser, theme: 'dark' | 'light'): Promise<void> {
  const rig = await httpRig();
  rig.tell(...wellEvents);
  const page = await open(browser, `${rig.sink.url}?theme=${theme}&hold=0`);
  rig.tell(
    { type: 'speech-started', atMs: 0 },
    say('Dinner is in ten minutes.'),
    saying('Could somebody set the table and light the candles', 33),
  );
  await take(page, `captions-${theme}`);
  await rig.sink.close(100);
}

async function languages(browser: Browser): Promise<void> {
  const rig = await httpRig();
  rig.tell(...wellEvents);
  const page = await open(browser, `${rig.sink.url}?theme=dark&size=8vh&hold=0`);
  rig.tell(
    say('台所の電気をつけてください', 'ja'),
    say('شغّل المصباح في المطبخ من فضلك', 'ar'),
    say('Und wie wird das Wetter morgen?', 'de'),
    saying('להדליק את האור במסדרון', 12, 'he'),
  );
  await take(page, 'captions-languages');
  await rig.sink.close(100);
}

/** A picture to lie over, as a streaming program would: hills at dusk, drawn by the browser. */
const scene = (captions: string): string => `<!doctype html><style>
  body { margin: 0; height: 100vh; overflow: hidden; background:
    linear-gradient(#26325c, #7a5a86 38%, #e59a7b 62%, #f6cf9a 74%, #3d4a4f 74.2%, #1c2629); }
  i { position: absolute; border-radius: 50%; }
  i:nth-of-type(1) { width: 120px; height: 120px; left: 820px; top: 380px; background: #fff2cf; box-shadow: 0 0 120px 40px #ffd9a1aa; }
  i:nth-of-type(2) { width: 1400px; height: 520px; left: -420px; top: 470px; background: #34414a; }
  i:nth-of-type(3) { width: 1500px; height: 560px; left: 480px; top: 520px; background: #232d33; }
  iframe { position: absolute; inset: 0; width: 100%; height: 100%; border: 0; color-scheme: normal; }
</style><i></i><i></i><i></i><iframe src="${captions}"></iframe>`;

async function overPicture(browser: Browser): Promise<void> {
  const rig = await httpRig();
  rig.tell(...wellEvents);
  const studio = createServer((_, response) => {
    response.setHeader('Content-Type', 'text/html');
    response.end(scene(`${rig.sink.url}?theme=transparent&lines=2&size=8vh&hold=0`));
  });
  await new Promise<void>((resolve) => studio.listen(0, '127.0.0.1', resolve));
  const context = await browser.newContext({ viewport: { width: 1280, height: 720 } });
  const page = await context.newPage();
  await page.goto(`http://127.0.0.1:${(studio.address() as AddressInfo).port}/`);
  await page.frames()[1]?.waitForSelector('html[data-stream="live"]', { state: 'attached' });
  rig.tell(
    { type: 'speech-started', atMs: 0 },
    say('Welcome back, everyone.'),
    saying('Today we solder the last board', 20),
  );
  await page.frames()[1]?.getByText('the last board').waitFor();
  await take(page, 'captions-obs');
  studio.close();
  studio.closeAllConnections();
  await rig.sink.close(100);
}

async function status(browser: Browser, colorScheme: 'light' | 'dark', trouble: boolean): Promise<void> {
  const rig = await httpRig({ version: '0.1.0' }, 17 * 3600 + 1260);
  rig.tell(...wellEvents);
  const random = randomFrom(7);
  const small: readonly string[] = ['Yes.', 'No, the other one.', 'Thank you.', 'Next, please.'];
  for (let i = 0; i < 64; i++) {
    const latencyMs = 190 + 1100 * random() ** 2.6 + (random() < 0.04 ? 1800 : 0);
    rig.tell(say(small[i % small.length] ?? '', 'en', latencyMs, 0.9));
  }
  rig.tell(
    say('Set a timer for twelve minutes.', 'en', 380, 0.97),
    say('Wie warm ist es im Wohnzimmer?', 'de', 520, 0.91),
    say('شغّل المصباح في المطبخ', 'ar', 610, 0.88),
    say('Add oat milk and two lemons to the shopping list.', 'en', 450, 0.95),
    say('Good night, turn off everything downstairs.', 'en', 430, 0.96),
  );
  if (trouble) breakBroker(rig);
  const page = await open(browser, `${rig.sink.url}status`, {
    colorScheme,
    viewport: { width: 1280, height: 940 },
  });
  rig.tell({ type: 'level', levelDbfs: -27, atMs: 0 }, { type: 'speech-started', atMs: 0 });
  await page.evaluate('new Promise((done) => setTimeout(done, 1000))');
  await take(page, `status-${colorScheme}`);
  await rig.sink.close(100);
}

function breakBroker({ tell }: HttpRig): void {
  tell(
    {
      type: 'fault',
      component: 'broker',
      code: 'BROKER_UNREACHABLE',
      message: 'mqtt://homeassistant.lan:1883: connect ECONNREFUSED',
      hint: 'check mqtt.url and that the broker runs; transcripts wait in the outbox',
    },
    { type: 'broker', state: 'offline', url: 'mqtt://homeassistant.lan:1883' },
    { type: 'outbox', depth: 5, dropped: 0 },
  );
}

const browser = await startChromium();
await captionsIn(browser, 'dark');
await captionsIn(browser, 'light');
await languages(browser);
await overPicture(browser);
await status(browser, 'light', false);
await status(browser, 'dark', true);
await browser.close();
