/** The status page: is it well, does it hear, what did it understand, how long did that take. */
import type { LatencyCounts, Reason, StreamMessages } from '../messages.ts';
import { addressOf, follow } from './stream.ts';

const maxFinals = 20;

function byId(id: string): HTMLElement {
  const found = document.getElementById(id);
  if (found === null) throw new Error(`the page has no element ${id}`);
  return found;
}

function element(name: string, className: string, ...children: readonly (Node | string)[]): HTMLElement {
  const made = document.createElement(name);
  if (className !== '') made.className = className;
  made.append(...children);
  return made;
}

/** Touches the page only where something is new. */
function put(id: string, text: string): void {
  const found = byId(id);
  if (found.textContent !== text) found.textContent = text;
}

const finals = byId('finals');
const mute = byId('mute') as HTMLButtonElement;
let live = false;
let muted = false;
let last: StreamMessages['health'] | undefined;

function showState(): void {
  const state = !live
    ? 'lost'
    : last === undefined
      ? 'lost'
      : last.well
        ? muted
          ? 'muted'
          : 'well'
        : 'unwell';
  byId('state').dataset['state'] = state;
  put(
    'state',
    !live ? 'reconnecting' : state === 'well' ? 'all is well' : state === 'unwell' ? 'not well' : state,
  );
}

const count = (value: number | null, unit: string, decimals = 0): string =>
  value === null ? '–' : `${value.toFixed(decimals)}${unit}`;

const duration = (ms: number | null): string =>
  ms === null || ms < 1000 ? count(ms, ' ms') : count(ms / 1000, ' s', 1);

function uptime(totalS: number): string {
  const minutes = Math.floor(totalS / 60);
  if (minutes === 0) return `${Math.floor(totalS)} s`;
  if (minutes < 60) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  return hours < 48 ? `${hours} h ${minutes % 60} min` : `${Math.floor(hours / 24)} days`;
}

function showHealth(message: StreamMessages['health']): void {
  last = message;
  const { health, model, version } = message;
  put('what', [version, model, health.recognizer.provider].filter(Boolean).join(' · '));
  put('device', health.microphone.device ?? '–');
  put('microphone', health.microphone.state);
  byId('reasons').replaceChildren(...(message.well ? [wellLine()] : message.reasons.map(reasonLine)));
  const numbers: readonly (readonly [string, string])[] = [
    ['running for', uptime(health.uptimeS)],
    ['real-time factor', `${count(health.rtf.p50, '', 2)}, p95 ${count(health.rtf.p95, '', 2)}`],
    ['speech waiting', count(health.queue.depthS, ' s', 1)],
    ['segments given up', String(health.queue.dropped)],
    ['transcripts waiting for the broker', String(health.mqtt.outbox)],
    ['memory', count(health.rssMb, ' MB')],
    ['processor', count(health.cpuTempC, ' °C')],
    ['recognizer restarts', String(health.recognizer.restarts)],
    ['microphone losses', String(health.microphone.restarts)],
  ];
  byId('numbers').replaceChildren(
    ...numbers.map(([name, value]) => element('div', '', element('dt', '', name), element('dd', '', value))),
  );
  showLatency(message.latency, health.latencyMs);
  showState();
}

const wellLine = (): HTMLElement => element('li', 'well', 'Audio, recognizer and broker are well.');

function reasonLine({ component, code, message, hint }: Reason): HTMLElement {
  const line = element('li', 'unwell', element('strong', '', component), ' ', message);
  if (code !== undefined) line.append(' ', element('code', '', code));
  if (hint !== undefined && hint !== '') line.append(element('p', 'quiet', hint));
  return line;
}

const secondsLabel = (ms: number): string => `${ms / 1000}`;

function showLatency(
  { boundsMs, counts }: LatencyCounts,
  spread: { p50: number | null; p95: number | null },
): void {
  const most = Math.max(1, ...counts);
  const bars = counts.map((value, at) => {
    const bound = boundsMs[at];
    const bar = element('div', 'bar');
    bar.style.setProperty('--share', String(value / most));
    const label = bound === undefined ? '∞' : secondsLabel(bound);
    bar.title = `${value} up to ${label} s`;
    return element(
      'div',
      'bin',
      element('span', 'count', value > 0 ? String(value) : ''),
      bar,
      element('span', 'bound', label),
    );
  });
  byId('histogram').replaceChildren(...bars);
  const total = counts.reduce((sum, value) => sum + value, 0);
  const words =
    total === 0
      ? 'No transcript since the start.'
      : `${total} since the start; of the last ones half within ${duration(spread.p50)}, 95 % within ${duration(spread.p95)}.`;
  put('latency-words', words);
  byId('histogram').setAttribute('aria-label', words);
}

/** The daemon's clock and the browser's may differ: the age is told by the daemon, the time of day is the browser's. */
const clock = new Intl.DateTimeFormat(undefined, { timeStyle: 'medium', hourCycle: 'h23' });

function showFinal({ id, text, language, latencyMs, confidence, ageMs }: StreamMessages['final']): void {
  const domId = `final-${id}`;
  if (document.getElementById(domId) !== null) return;
  const words = element('p', 'words', text);
  words.dir = 'auto';
  words.lang = language;
  const time = element('time', '', clock.format(new Date(Date.now() - ageMs)));
  const facts = `${language} · ${(latencyMs / 1000).toFixed(1)} s · ${Math.round(confidence * 100)} %`;
  const line = element('li', '', time, words, element('span', 'facts', facts));
  line.id = domId;
  finals.prepend(line);
  while (finals.childElementCount > maxFinals) finals.lastElementChild?.remove();
  byId('none').hidden = true;
  put('partial', '');
}

function showLevel(levelDbfs: number | undefined): void {
  const shown = Math.max(-80, Math.min(0, levelDbfs ?? -80));
  // the style of an element is not under the policy that forbids style attributes (CSP 3, §6.7.3)
  byId('bar').style.setProperty('--level', String((shown + 80) / 80));
  byId('bar').title = levelDbfs === undefined ? '' : `${levelDbfs.toFixed(0)} dBFS`;
  (byId('level') as HTMLMeterElement).value = shown;
}

function showMute(): void {
  mute.disabled = !live;
  mute.textContent = muted ? 'Unmute' : 'Mute';
  mute.setAttribute('aria-pressed', String(muted));
  if (muted) showLevel(undefined);
  showState();
}

mute.addEventListener('click', async () => {
  mute.disabled = true;
  put('mute-trouble', '');
  try {
    const answer = await fetch(addressOf('mute'), {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify({ muted: !muted }),
    });
    if (!answer.ok) put('mute-trouble', `not done: ${answer.status} ${answer.statusText}`);
  } catch {
    put('mute-trouble', 'not done: harkd does not answer');
  }
  showMute();
});

showLevel(undefined);
follow({
  recent: maxFinals,
  handlers: {
    health: showHealth,
    final: showFinal,
    partial: ({ text }) => put('partial', text),
    speech({ speaking }) {
      put('speech', speaking ? 'somebody speaks' : 'quiet');
      byId('speech').toggleAttribute('data-speaking', speaking);
    },
    mute(message) {
      muted = message.muted;
      showMute();
    },
    level: ({ levelDbfs }) => showLevel(levelDbfs),
  },
  onState(state) {
    live = state === 'live';
    if (!live) showLevel(undefined);
    showMute();
    if (state === 'refused') put('state', 'needs a token: ?token=…');
  },
});
