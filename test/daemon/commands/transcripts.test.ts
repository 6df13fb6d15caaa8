import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Readable } from 'node:stream';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { TranscriptsArguments } from '../../../daemon/commands/transcripts.ts';
import { transcripts } from '../../../daemon/commands/transcripts.ts';
import type { Fault } from '../../../daemon/faults.ts';
import { harkd } from '../../fixtures/daemon.ts';
import { recordRig, saidAt } from '../../fixtures/record.ts';

type World = { stateDir: string; record: string };
const test = suite<World>('daemon/commands/transcripts');

const startMs = Date.UTC(2026, 10, 22, 18, 30);

test.before.each(async (world) => {
  world.stateDir = mkdtempSync(path.join(tmpdir(), 'harkd-state-'));
  world.record = path.join(world.stateDir, 'record');
  const { record } = recordRig(world.record, startMs);
  for (let seq = 1; seq <= 3; seq++) record.append(saidAt(seq, startMs + seq * 60_000));
  await record.close();
});
test.after.each(({ stateDir }) => rmSync(stateDir, { recursive: true, force: true }));

const usual = { format: 'text', json: false, clear: false, yes: false } as const;

type Outcome = { readonly out: string; readonly err: string; readonly fault: Fault | undefined };

async function run({ stateDir }: World, argv: Partial<TranscriptsArguments>): Promise<Outcome> {
  let out = '';
  let err = '';
  const fault = await transcripts(
    { ...usual, ...argv },
    {
      version: '0',
      packageDir: '/nonexistent',
      environment: { HARKD_STATE_DIR: stateDir },
      signal: new AbortController().signal,
      write: (text) => {
        out += text;
      },
      writeError: (text) => {
        err += text;
      },
      stdin: Readable.from([]),
      stdoutIsTty: false,
      stderrIsTty: false,
    },
  ).then(
    () => undefined,
    (thrown: Fault) => thrown,
  );
  return { out, err, fault };
}

test('a time for people, the words, and only those asked for', async (world) => {
  const { out } = await run(world, {});
  assert.match(out, /^(\d{4}-\d\d-\d\d \d\d:\d\d:00 {2}sentence \d\n){3}$/);
  assert.match((await run(world, { limit: '1' })).out, /^\S+ \S+ {2}sentence 3\n$/);
  const until = new Date(startMs + 120_000).toISOString();
  assert.match((await run(world, { until })).out, /^\S+ \S+ {2}sentence 1\n$/);
});

test('an output is written when it is whole', async (world) => {
  const output = path.join(world.stateDir, 'day.srt');
  const { out, fault } = await run(world, { format: 'srt', output });
  assert.is(fault, undefined);
  assert.is(out, '');
  assert.match(readFileSync(output, 'utf8'), /^1\n00:00:00,000 --> [\s\S]*\n3\n00:02:00,000 --> /);
  assert.equal(readdirSync(world.stateDir), ['day.srt', 'record']);
  const nowhere = await run(world, { output: path.join(world.stateDir, 'none', 'day.srt') });
  assert.is(nowhere.fault?.code, 'OUTPUT_UNWRITABLE');
});

test('damage is told beside the text', async (world) => {
  const [name = ''] = readdirSync(world.record);
  const file = path.join(world.record, name);
  writeFileSync(file, `nonsense\n${readFileSync(file, 'utf8')}`);
  const { out, err } = await run(world, { json: true });
  assert.is((JSON.parse(out) as unknown[]).length, 3);
  assert.is(err, `1 lines of ${name} cannot be read and are left out\n`);
});

test('is deleted when somebody means it, and only as a whole', async (world) => {
  const before = readdirSync(world.record);
  const asked = await run(world, { clear: true });
  assert.is(asked.fault?.code, 'USAGE_INVALID');
  assert.match(asked.fault?.hint ?? '', /--yes/);
  for (const part of [{ since: '-1h' }, { until: '-1h' }, { limit: '1' }, { output: 'x' }]) {
    assert.is((await run(world, { clear: true, yes: true, ...part })).fault?.code, 'USAGE_INVALID');
  }
  assert.equal(readdirSync(world.record), before);
  const cleared = await run(world, { clear: true, yes: true });
  assert.is(cleared.out, `${world.record}: 1 KiB, 2026-11-22 to 2026-11-22\ndeleted\n`);
  assert.equal(readdirSync(world.record), []);
  assert.is((await run(world, { clear: true })).out, `nothing is kept in ${world.record}\n`);
});

test('where nothing is kept it says why', async (world) => {
  rmSync(world.record, { recursive: true });
  const { fault } = await run(world, {});
  assert.is(fault?.code, 'INPUT_MISSING');
  assert.match(fault?.hint ?? '', /record\.enabled/);
});

test('a record that is no folder is a fault with a hint', async (world) => {
  rmSync(world.record, { recursive: true });
  writeFileSync(world.record, '');
  for (const argv of [{}, { clear: true, yes: true }]) {
    const { fault } = await run(world, argv);
    assert.is(fault?.code, 'RECORD_UNREADABLE');
    assert.match(fault?.hint ?? '', /sudo -u harkd/);
  }
});

test('the command line takes a time that begins with a minus', async (world) => {
  const environment = { HARKD_STATE_DIR: world.stateDir };
  const { code, stderr } = await harkd(['transcripts', '--since', '-0s', '--until', '-1h'], environment);
  assert.is(code, 0, stderr);
  const wrong = await harkd(['transcripts', '--since', 'soon'], environment);
  assert.is(wrong.code, 64);
  assert.match(wrong.stderr, /^error USAGE_INVALID: since is "soon".*\nhint: such as -90s/);
});

test.run();
