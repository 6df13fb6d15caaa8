/** The captions page: big and calm. What is stable stays where it is; only what is new moves. */
import type { Caption } from './caption-lines.ts';
import { stillShown, withFinal, withPartial } from './caption-lines.ts';
import { captionSettings } from './settings.ts';
import { follow } from './stream.ts';

type Shown = {
  readonly paragraph: HTMLElement;
  readonly stable: Text;
  readonly tail: Text;
};

const settings = captionSettings(new URLSearchParams(location.search));
const root = document.documentElement;
root.dataset['theme'] = settings.theme;
root.style.setProperty('--lines', String(settings.lines));
if (settings.size !== undefined) root.style.setProperty('--size', settings.size);

const sight = byId('window');
const roll = byId('roll');
const spoken = byId('spoken');
const sign = byId('sign');
const shown = new Map<string, Shown>();
let captions: readonly Caption[] = [];

function byId(id: string): HTMLElement {
  const found = document.getElementById(id);
  if (found === null) throw new Error(`the page has no element ${id}`);
  return found;
}

const calm = matchMedia('(prefers-reduced-motion: reduce)');
const rollMs = 240;
const fadeMs = 600;

/** Changes only what differs from the first difference on: text that stays is not touched, so it cannot flicker. */
function setText(node: Text, text: string): void {
  const old = node.data;
  let same = 0;
  while (same < old.length && same < text.length && old[same] === text[same]) same++;
  if (same < old.length || same < text.length) node.replaceData(same, old.length - same, text.slice(same));
}

function newParagraph(): Shown {
  const paragraph = document.createElement('p');
  // each utterance is written in the direction of its own first letter
  paragraph.dir = 'auto';
  const tail = document.createElement('span');
  tail.className = 'tail';
  const texts = { stable: document.createTextNode(''), tail: document.createTextNode('') };
  tail.append(texts.tail);
  paragraph.append(texts.stable, tail);
  return { paragraph, ...texts };
}

/** When a line is added the others roll up to make room, instead of jumping. */
function rolled(change: () => void): void {
  const before = roll.offsetHeight;
  change();
  const grownPx = roll.offsetHeight - before;
  if (grownPx <= 0 || before === 0 || calm.matches) return;
  roll.animate([{ transform: `translateY(${grownPx}px)` }, { transform: 'none' }], {
    duration: rollMs,
    easing: 'cubic-bezier(0.2, 0.7, 0.2, 1)',
  });
}

function render(): void {
  rolled(() => {
    const ids = new Set(captions.map(({ id }) => id));
    for (const [id, { paragraph }] of shown) {
      if (ids.has(id)) continue;
      shown.delete(id);
      leave(paragraph);
    }
    let after: Element | undefined;
    for (const { id, state, stable, tail, language } of captions) {
      let entry = shown.get(id);
      if (entry === undefined) {
        entry = newParagraph();
        shown.set(id, entry);
        if (after === undefined) roll.append(entry.paragraph);
        else after.after(entry.paragraph);
      }
      setText(entry.stable, stable);
      setText(entry.tail, tail);
      entry.paragraph.lang = language;
      entry.paragraph.dataset['state'] = state;
      after = entry.paragraph;
    }
  });
  root.toggleAttribute('data-full', roll.offsetHeight > sight.clientHeight);
}

/** Fades, and goes when nobody sees it any more. */
function leave(paragraph: HTMLElement): void {
  if (calm.matches || paragraph.dataset['state'] !== 'final') {
    paragraph.remove();
    return;
  }
  paragraph.dataset['state'] = 'leaving';
  const fade = paragraph.animate([{}, { opacity: 0 }], { duration: fadeMs, fill: 'forwards' });
  fade.onfinish = () => paragraph.remove();
}

/** For screen readers: finals only, each once; interim text would be read again and again. */
function speak({ text, language }: { readonly text: string; readonly language: string }): void {
  const line = document.createElement('div');
  line.lang = language;
  line.dir = 'auto';
  line.textContent = text;
  spoken.append(line);
  while (spoken.childElementCount > 5) spoken.firstElementChild?.remove();
}

function update(next: readonly Caption[]): void {
  const kept = stillShown(next, { nowMs: performance.now(), holdMs: settings.holdMs, most: settings.lines });
  if (kept === captions) return;
  captions = kept;
  render();
}

follow({
  recent: settings.lines,
  handlers: {
    partial: (partial) => update(withPartial(captions, partial, performance.now())),
    final(final) {
      if (
        final.ageMs < settings.holdMs &&
        !captions.some(({ id, state }) => id === final.id && state === 'final')
      )
        speak(final);
      update(withFinal(captions, final, performance.now()));
    },
    speech: ({ speaking }) => root.toggleAttribute('data-speaking', speaking),
    mute: ({ muted }) => root.toggleAttribute('data-muted', muted),
  },
  onState(state) {
    root.dataset['stream'] = state;
    if (state !== 'live') root.removeAttribute('data-speaking');
    sign.textContent =
      state === 'refused' ? 'this page needs a token: ?token=…' : state === 'lost' ? 'reconnecting' : '';
  },
});

setInterval(() => update(captions), 250);

document.addEventListener('keydown', ({ key }) => {
  if (key !== 'f') return;
  // refused where the browser does not like it: then there is no full screen
  const done = document.fullscreenElement === null ? root.requestFullscreen() : document.exitFullscreen();
  done.catch(() => {});
});

// a screen on a wall must not go dark between two sentences; only where the page came over HTTPS or from localhost
async function stayAwake(): Promise<void> {
  if (document.visibilityState === 'visible') await navigator.wakeLock?.request('screen');
}
document.addEventListener('visibilitychange', () => void stayAwake().catch(() => {}));
stayAwake().catch(() => {});
