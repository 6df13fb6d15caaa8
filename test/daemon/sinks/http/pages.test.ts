/** The pages in a real browser: what a person on the sofa, a streamer and an operator see. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Browser, Page } from 'playwright-core';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { DaemonEvent } from '../../../../daemon/events.ts';
import type { HttpSinkOptions } from '../../../../daemon/sinks/http.ts';
import { everyEvent } from '../../../every-event.ts';
import { chromiumMissing, startChromium } from '../../../fixtures/chromium.ts';
import { eventually, said, transcriptOf } from '../../../fixtures/daemon-events.ts';
import type { HttpRig } from '../../../fixtures/http.ts';
import { httpRig, wellEvents } from '../../../fixtures/http.ts';
import { announceSkip } from '../../../skip.ts';

type World = { browser: Browser; page: Page; rigs: HttpRig[]; troubles: string[] };
const test = suite<World>('the pages in Chromium');

// one page for all: a new one takes a small machine a second
test.before(async (world) => {
  world.browser = await startChromium();
  world.page = await world.browser.newPage({ viewport: { width: 1280, height: 720 } });
  // what the browser complains of, and what leaves the machine
  world.page.on('console', (message) => {
    if (/Content Security Policy|Uncaught/.test(message.text())) world.troubles.push(message.text());
  });
  world.page.on('pageerror', (error) => world.troubles.push(String(error)));
  world.page.on('request', (request) => {
    const { origin } = new URL(request.url());
    if (!world.rigs.some(({ sink }) => new URL(sink.url).origin === origin))
      world.troubles.push(request.url());
  });
});
test.before.each(async (world) => {
  world.rigs = [];
  world.troubles = [];
  await world.page.emulateMedia({
    colorScheme: 'dark',
    contrast: 'no-preference',
    reducedMotion: 'no-preference',
  });
});
test.after.each(async (world) => {
  await world.page.goto('about:blank');
  for (const { sink } of world.rigs) await sink.close(100);
});
test.after((world) => world.browser.close());

/** A test that also fails when the browser or the server had something to complain of. */
function check(name: string, body: (world: World) => Promise<void>): void {
  test(name, async (world) => {
    await body(world);
    assert.equal(world.troubles, []);
    assert.equal(
      world.rigs.flatMap(({ failures }) => failures),
      [],
    );
  });
}

async function start(world: World, options: Partial<HttpSinkOptions> = {}): Promise<HttpRig> {
  const rig = await httpRig(options);
  world.rigs.push(rig);
  rig.tell(...wellEvents);
  return rig;
}

/** Opens a captions page and waits until it listens. */
async function open({ page }: World, url: string): Promise<Page> {
  // the same address with another # would not be loaded anew
  await page.goto('about:blank');
  await page.goto(url);
  await page.waitForSelector('html[data-stream="live"]', { state: 'attached' });
  return page;
}

const partial = (id: string, rev: number, text: string, stableChars = 0, language = 'en'): DaemonEvent => ({
  type: 'partial',
  partial: { id, rev, text, stableChars, language },
});
const inLanguage = (seq: number, text: string, language: string): DaemonEvent => ({
  type: 'transcript',
  transcript: { ...transcriptOf(seq, text), language },
});
const captions = (page: Page) => page.locator('#roll > p');

/** WCAG 2.2, relative luminance and contrast ratio, of two colours as Chromium computes them. */
function contrastOf(a: string, b: string): number {
  const luminance = (colour: string): number => {
    const [red = 0, green = 0, blue = 0] = (colour.match(/[\d.]+/g) ?? [])
      .slice(0, 3)
      .map((value) => Number(value) / 255)
      .map((value) => (value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4));
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  };
  const [light = 0, dark = 0] = [luminance(a), luminance(b)].sort((x, y) => y - x);
  return (light + 0.05) / (dark + 0.05);
}

check(
  'partial, stable, final, cleared; and what is stable neither moves nor is drawn anew',
  async (world) => {
    const { sink, tell } = await start(world);
    const page = await open(world, `${sink.url}?hold=700ms&theme=dark`);
    tell({ type: 'speech-started', atMs: 0 });
    await page.waitForSelector('html[data-speaking]', { state: 'attached' });

    tell(partial('boot-1', 1, 'turn of'));
    await captions(page).getByText('turn of').waitFor();
    assert.is(await captions(page).first().getAttribute('data-state'), 'partial');

    tell(partial('boot-1', 2, 'turn on the land', 12));
    await captions(page).getByText('turn on the land').waitFor();
    const before = await page.evaluate(`(() => {
    const stable = document.querySelector('#roll > p').firstChild;
    window.watched = { stable, changes: [] };
    new MutationObserver((records) => window.watched.changes.push(...records.map(({ type, target, oldValue }) =>
      type === 'childList' ? 'nodes' : target === stable ? 'stable: ' + oldValue : 'tail')))
      .observe(stable.parentNode, { childList: true, characterData: true, characterDataOldValue: true, subtree: true });
    const range = document.createRange();
    range.selectNodeContents(stable);
    const { left, top, width, height } = range.getBoundingClientRect();
    return [stable.data, left, top, width, height];
  })()`);
    assert.is((before as unknown[])[0], 'turn on the ');

    tell(partial('boot-1', 3, 'turn on the lamp in', 12));
    await captions(page).getByText('turn on the lamp in').waitFor();
    const after = await page.evaluate(`(() => {
    const range = document.createRange();
    range.selectNodeContents(window.watched.stable);
    const { left, top, width, height } = range.getBoundingClientRect();
    return [window.watched.stable.data, left, top, width, height];
  })()`);
    assert.equal(after, before);
    assert.equal(await page.evaluate('window.watched.changes'), ['tail']);

    tell({ type: 'speech-ended', atMs: 0 }, said(1, 'turn on the lamp in the hall'));
    await captions(page).getByText('turn on the lamp in the hall').waitFor();
    assert.is(await captions(page).first().getAttribute('data-state'), 'final');
    // grown at its end, not written anew
    const changes = (await page.evaluate('window.watched.changes')) as string[];
    assert.equal(changes.slice(1).sort(), ['stable: turn on the ', 'tail']);
    assert.is(
      await page.locator('#spoken > div').allTextContents().then(String),
      'turn on the lamp in the hall',
    );

    await eventually('cleared', async () => (await captions(page).count()) === 0);
  },
);

check('shows the newest lines, and no more of them than asked for', async (world) => {
  const { sink, tell } = await start(world);
  const page = await open(world, `${sink.url}?lines=2&size=60px&hold=0`);
  for (let seq = 1; seq <= 4; seq++) tell(said(seq, `sentence ${seq}`));
  await captions(page).getByText('sentence 4').waitFor();
  await eventually('two lines', async () => (await captions(page).count()) === 2);
  tell(partial('boot-5', 1, `${'many words '.repeat(30)}the newest`));
  await captions(page).getByText('the newest').waitFor();
  await eventually('rolled up', async () =>
    Boolean(await page.evaluate('document.getElementById("roll").getAnimations().length === 0')),
  );
  const { height, below, lineHeight } = (await page.evaluate(`(() => {
    const box = document.getElementById('window').getBoundingClientRect();
    const roll = document.getElementById('roll').getBoundingClientRect();
    return { height: box.height, below: roll.bottom - box.bottom,
      lineHeight: parseFloat(getComputedStyle(document.querySelector('#roll > p')).lineHeight) };
  })()`)) as { height: number; below: number; lineHeight: number };
  assert.ok(Math.abs(height - 2 * lineHeight) < 1, `${height} is not two lines of ${lineHeight}`);
  assert.ok(Math.abs(below) < 1, `the newest line is ${below} px below`);
  assert.is(await page.evaluate('document.documentElement.scrollWidth <= innerWidth'), true);
});

check('writes each utterance in its own direction and language', async (world) => {
  const { sink, tell } = await start(world);
  const page = await open(world, `${sink.url}?lines=6&size=40px&hold=0`);
  const spoken: readonly (readonly [string, string, 'left' | 'right'])[] = [
    ['ar', 'شغّل المصباح في المطبخ', 'right'],
    ['he', 'להדליק את האור במטבח', 'right'],
    ['ja', '台所の電気をつけて', 'left'],
    ['zh', '打开厨房的灯', 'left'],
    ['en', 'turn on the lamp', 'left'],
  ];
  for (const [seq, [language, text]] of spoken.entries()) {
    tell(partial(`boot-${seq}`, 1, text.slice(0, 6), 3, language), inLanguage(seq, text, language));
  }
  for (const [language, text, side] of spoken) {
    const line = captions(page).getByText(text);
    await line.waitFor();
    assert.is(await line.getAttribute('lang'), language);
    const [left, right] = (await page.evaluate(`(() => {
      const p = document.querySelector('#roll > p:lang(${language})');
      const range = document.createRange();
      range.selectNodeContents(p);
      const words = range.getBoundingClientRect(), all = p.getBoundingClientRect();
      return [words.left - all.left, all.right - words.right];
    })()`)) as [number, number];
    assert.is((left < right ? 'left' : 'right') as string, side, `${language}: ${left} ${right}`);
  }
});

check(
  'is legible in every theme: AAA contrast, also of what is not settled; transparent over a picture',
  async (world) => {
    const { sink, tell } = await start(world);
    type Medium = NonNullable<Parameters<Page['emulateMedia']>[0]>;
    const cases: Readonly<Record<string, readonly (readonly [Medium, number])[]>> = {
      dark: [
        [{ colorScheme: 'light' }, 7],
        [{ contrast: 'more' }, 21],
      ],
      light: [
        [{ colorScheme: 'dark' }, 7],
        [{ contrast: 'more' }, 21],
      ],
      auto: [
        [{ colorScheme: 'light' }, 7],
        [{ colorScheme: 'dark' }, 7],
        [{ colorScheme: 'light', contrast: 'more' }, 21],
      ],
    };
    tell(said(1, 'earlier'));
    let rev = 0;
    for (const [theme, media] of Object.entries(cases)) {
      const page = await open(world, `${sink.url}?theme=${theme}&hold=0`);
      tell(partial('boot-2', ++rev, 'stable tail', 7));
      await captions(page).getByText('stable tail').waitFor();
      for (const [medium, least] of media) {
        await page.emulateMedia({ contrast: 'no-preference', reducedMotion: 'reduce', ...medium });
        const [ground, ...inks] = (await page.evaluate(`[
        getComputedStyle(document.body).backgroundColor,
        ...[...document.querySelectorAll('#roll > p, .tail')].map((node) => getComputedStyle(node).color),
      ]`)) as string[];
        assert.is(inks.length, 4);
        for (const ink of inks) {
          const contrast = contrastOf(ground ?? '', ink);
          assert.ok(
            contrast >= least,
            `${theme} ${JSON.stringify(medium)}: ${ink} on ${ground} is ${contrast}`,
          );
        }
      }
    }

    const page = await open(world, `${sink.url}?theme=transparent&hold=0`);
    await page.emulateMedia({ colorScheme: 'light', contrast: 'no-preference' });
    tell(partial('boot-2', ++rev, 'stable tail', 7));
    await captions(page).getByText('stable tail').waitFor();
    const style = (await page.evaluate(`(() => {
    const { color, webkitTextStrokeWidth, paintOrder } = getComputedStyle(document.querySelector('#roll > p:last-child'));
    return [getComputedStyle(document.documentElement).backgroundColor, getComputedStyle(document.body).backgroundColor,
      color, parseFloat(webkitTextStrokeWidth) > 4, paintOrder.startsWith('stroke')];
  })()`)) as unknown[];
    assert.equal(style, ['rgba(0, 0, 0, 0)', 'rgba(0, 0, 0, 0)', 'rgb(255, 255, 255)', true, true]);
  },
);

check('moves nothing for those who asked for no motion', async (world) => {
  const { sink, tell } = await start(world);
  const page = await open(world, `${sink.url}?hold=400ms&lines=2`);
  await page.emulateMedia({ reducedMotion: 'reduce' });
  tell({ type: 'speech-started', atMs: 0 }, said(1), said(2));
  await captions(page).getByText('sentence 2').waitFor();
  assert.is(
    await page.evaluate('document.getAnimations().filter(({ playState }) => playState === "running").length'),
    0,
  );
  await eventually('cleared', async () => (await captions(page).count()) === 0);
});

check(
  'comes back by itself after a restart, quietly says so meanwhile, and misses nothing',
  async (world) => {
    const first = await start(world);
    const { port, url } = first.sink;
    const page = await open(world, `${url}?hold=0`);
    first.tell(said(1, 'before the restart'), partial('boot-2', 1, 'cut'));
    await captions(page).getByText('cut').waitFor();
    await first.sink.close(100);
    await page.waitForSelector('html[data-stream="lost"]', { state: 'attached' });
    await page.locator('#sign').getByText('reconnecting').waitFor({ state: 'visible' });
    // what was said stays meanwhile
    assert.is(await captions(page).getByText('before the restart').count(), 1);

    const second = await start(world, { port });
    second.tell(inLanguage(1, 'said before the page was back', 'en'));
    // a restarted daemon has other ids
    second.tell({ type: 'transcript', transcript: { ...transcriptOf(2, 'heard again'), id: 'second-2' } });
    await captions(page).getByText('heard again').waitFor({ timeout: 8000 });
    await page.waitForSelector('html[data-stream="live"]', { state: 'attached' });
    await page.locator('#sign').waitFor({ state: 'hidden' });
  },
);

check('says when it needs a token, and takes it from its address', async (world) => {
  const token = 'a-token-of-24-characters';
  const { sink, tell } = await start(world, { token });
  await world.page.goto(sink.url);
  await world.page.locator('#sign').getByText('needs a token').waitFor();
  for (const [seq, address] of [`?token=${token}`, `#token=${token}`].entries()) {
    const page = await open(world, sink.url + address);
    tell(said(seq, `let in ${address.charAt(0)}`));
    await captions(page)
      .getByText(`let in ${address.charAt(0)}`)
      .waitFor();
  }
});

check('the status page shows how it is, mutes and unmutes', async (world) => {
  const { sink, tell, muteRequests } = await start(world);
  const { page } = world;
  await page.goto(`${sink.url}status`);
  await page.locator('#state').getByText('all is well').waitFor();
  assert.is(await page.locator('#device').textContent(), 'plughw:CARD=Yeti');

  tell(said(1, 'what time is it'), inLanguage(2, 'كم الساعة', 'ar'), {
    type: 'level',
    levelDbfs: -20,
    atMs: 0,
  });
  await page.locator('#finals').getByText('كم الساعة').waitFor();
  assert.equal(await page.locator('#finals .words').allTextContents(), ['كم الساعة', 'what time is it']);
  await eventually(
    'the level',
    async () => (await page.evaluate('document.getElementById("level").value')) === -20,
  );

  tell(everyEvent.fault);
  await page.locator('#state').getByText('not well').waitFor();
  const reason = page.locator('#reasons li');
  assert.equal(await reason.locator('code').textContent(), 'BROKER_UNREACHABLE');
  assert.match((await reason.textContent()) ?? '', /broker gone .*wait/);
  const bars = await page.locator('#histogram .count').allTextContents();
  assert.is(bars.join(''), '2');
  tell(everyEvent.recovered);

  await page.getByRole('button', { name: 'Mute', exact: true }).click();
  await page.getByRole('button', { name: 'Unmute' }).waitFor();
  await page.locator('#state').getByText('muted').waitFor();
  await page.getByRole('button', { name: 'Unmute' }).click();
  await page.getByRole('button', { name: 'Mute', exact: true }).waitFor();
  assert.equal(muteRequests, [true, false]);

  await sink.close(100);
  await page.locator('#state').getByText('reconnecting').waitFor();
  assert.is(await page.getByRole('button').isDisabled(), true);
});

check('another site may show the captions, but not the status page with its button', async (world) => {
  const { sink, tell } = await start(world);
  // a real site on another port: Chromium lets a page it cannot place not near this machine
  const elsewhere = createServer((_, response) => {
    response.setHeader('Content-Type', 'text/html');
    response.end(
      `<iframe name="captions" src="${sink.url}?hold=0"></iframe><iframe name="status" src="${sink.url}status"></iframe>`,
    );
  });
  await new Promise<void>((resolve) => elsewhere.listen(0, '127.0.0.1', resolve));
  elsewhere.unref();
  const { page } = world;
  await page.goto(`http://localhost:${(elsewhere.address() as AddressInfo).port}/`);
  tell(said(1, 'in a frame'));
  const frame = page.frame('captions');
  await frame?.waitForSelector('html[data-stream="live"]', { state: 'attached' });
  tell(said(2, 'still in a frame'));
  await frame?.getByText('still in a frame').first().waitFor();
  assert.is(await page.frame('status')?.locator('#mute').count(), 0);
  // it has its own address and wants an icon, which is its own business
  world.troubles = [];
  elsewhere.closeAllConnections();
  elsewhere.close();
});

const missing = chromiumMissing();
if (missing === undefined) test.run();
else announceSkip('the pages in Chromium', missing);
