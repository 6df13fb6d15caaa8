import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { createLog, type LogLevel, type LogOptions } from '../../daemon/log.ts';

const test = suite('log');

function collect(options: Partial<LogOptions>): { lines: string[]; log: ReturnType<typeof createLog> } {
  const lines: string[] = [];
  const write = (line: string) => void lines.push(line);
  const log = createLog({ level: 'debug', format: 'auto', isTty: false, noColor: false, ...options, write });
  return { lines, log };
}

test('marks each line with its priority for the journal', () => {
  const { lines, log } = collect({});
  for (const level of ['error', 'warn', 'info', 'debug'] as const) log(level, 'hello', { ignored: 1 });
  log('warn', 'broker is away', { hint: 'start it' });
  assert.equal(lines, [
    '<3>hello\n',
    '<4>hello\n',
    '<6>hello\n',
    '<7>hello\n',
    '<4>broker is away (hint: start it)\n',
  ]);
});

test('keeps one event on one line, and terminals safe', () => {
  for (const format of ['journal', 'text'] as const) {
    const { lines, log } = collect({ format });
    log('error', 'first\n  second\u001b[31m\u0007', { hint: 'a\nb' });
    assert.is(lines.length, 1);
    assert.match(lines[0] ?? '', /first; second \[31m {2}\(hint: a; b\)\n$/);
    // biome-ignore lint/suspicious/noControlCharactersInRegex: that is what must not be there
    assert.not.match((lines[0] ?? '').slice(0, -1), /[\u0000-\u001f]/);
  }
});

test('is coloured on a terminal, and plain where colour is not wanted', () => {
  const onTty = collect({ isTty: true });
  onTty.log('warn', 'careful');
  assert.is(onTty.lines[0]?.replace(/^\d\d:\d\d:\d\d /, ''), '\u001b[33mwarn \u001b[39m careful\n');
  const plain = collect({ isTty: true, noColor: true });
  plain.log('warn', 'careful');
  assert.match(plain.lines[0] ?? '', /^\d\d:\d\d:\d\d warn {2}careful\n$/);
});

test('is JSON for collectors, with fields', () => {
  const { lines, log } = collect({ format: 'json', isTty: true });
  log('info', 'ready', { event: 'ready', sinceStartMs: 12 });
  const { time, ...rest } = JSON.parse(lines[0] ?? '');
  assert.equal(rest, { level: 'info', event: 'ready', sinceStartMs: 12, msg: 'ready' });
  assert.is(new Date(time).toISOString(), time);
});

test('says nothing below its level', () => {
  const levels: LogLevel[] = ['error', 'warn', 'info', 'debug'];
  for (const [index, level] of levels.entries()) {
    const { lines, log } = collect({ level });
    for (const at of levels) log(at, at);
    assert.is(lines.length, index + 1);
  }
});

test.run();
