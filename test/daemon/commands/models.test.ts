import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { CommandContext } from '../../../daemon/commands/context.ts';
import { type ModelsArguments, models } from '../../../daemon/commands/models.ts';
import { boardOf } from '../../../daemon/commands/models-text.ts';
import { faultOf } from '../../faults.ts';
import { serveHub } from '../../fixtures/hub-server.ts';
import { fresh, isBlob, model, name, plain, repository, withHub } from '../../models/store/hub-tests.ts';

const command = suite('harkd models');
const packageDir = path.join(import.meta.dirname, '../../../..');

/** Runs the command; answers what it wrote. */
async function run(
  argv: ModelsArguments,
  { environment = {}, signal = new AbortController().signal, tty = false } = {},
): Promise<{ out: string; error: string }> {
  let out = '';
  let error = '';
  const context: CommandContext = {
    version: '0',
    packageDir,
    environment,
    signal,
    write: (text) => {
      out += text;
    },
    writeError: (text) => {
      error += text;
    },
    stdin: process.stdin,
    stdoutIsTty: tty,
    stderrIsTty: tty,
  };
  await models(argv, context);
  return { out, error };
}

command('from a hub to a removed model', async () => {
  await withHub(plain, async ({ endpoint, commit }) => {
    const store = fresh();
    const environment = { HF_ENDPOINT: endpoint };
    const added = await run({ action: 'add', name: repository, store }, { environment });
    assert.match(
      added.out,
      new RegExp(`^${name} is installed: 99 languages, 0\\.\\d+ M parameters, 1 MB in ${store}`),
    );
    assert.match(added.out, new RegExp(`harkd run --model ${name}\n$`));
    assert.is(added.error, '', 'no progress where nobody watches');
    const again = await run({ action: 'add', name: repository, store }, { environment });
    assert.match(again.out, /is installed already, and whole/);

    const listed = await run({ action: 'list', store });
    assert.match(listed.out, /^installed\n {2}embedded +English +4\.5 M +18 MB +ships with harkd\n/);
    assert.match(
      listed.out,
      new RegExp(`\n {2}${name} +99 languages .*${repository} at ${commit.slice(0, 8)}, added 20`),
    );
    assert.match(listed.out, /\n {2}tiny\.en +English +39 M +151 MB +apache-2\.0/);
    const json = JSON.parse((await run({ action: 'list', store, json: true })).out);
    assert.equal(
      json.installed.map((each: { name: string }) => each.name),
      ['embedded', name],
    );
    assert.ok(json.catalog.length >= 15);

    const shown = await run({ action: 'info', name: repository, store });
    assert.match(shown.out, new RegExp(`\n {2}commit +${commit}\n`));
    assert.match(shown.out, /\n {2}model\.safetensors +sha256 [0-9a-f]{64}\n/);
    assert.match(
      (await run({ action: 'verify', store })).out,
      new RegExp(`^ok {4}embedded\nok {4}${name}\n$`),
    );

    const file = path.join(store, name, 'config.json');
    writeFileSync(file, `${readFileSync(file, 'utf8')} `);
    const fault = await faultOf(() => run({ action: 'verify', name, store }));
    assert.is(fault.code, 'MODEL_CHECKSUM_MISMATCH');
    assert.match(
      (await run({ action: 'remove', name, store })).out,
      new RegExp(`^${name} is removed, 1 MB are free\n$`),
    );
    assert.is((await faultOf(() => run({ action: 'info', name, store }))).code, 'MODEL_MISSING');
  });
});

command('a name of the catalogue is its repository on the hub', async () => {
  const hub = await serveHub('openai/whisper-tiny.en', plain);
  try {
    const store = fresh();
    const { out } = await run(
      { action: 'add', name: 'tiny.en', store, json: true },
      { environment: { HF_ENDPOINT: hub.endpoint } },
    );
    const { name: called, card } = JSON.parse(out);
    assert.is(called, 'tiny.en');
    assert.equal(card.languages, ['en'], 'as the catalogue says');
    assert.not.match((await run({ action: 'list', store })).out.split('to add')[1] ?? '', /tiny\.en /);
  } finally {
    await hub.close();
  }
});

command('a folder is one by its looks or by being there', async () => {
  const folder = model();
  const store = fresh();
  assert.match((await run({ action: 'add', name: folder, as: 'mine', store })).out, /^mine is installed/);
  const fault = await faultOf(() => run({ action: 'add', name: './not-there', store }));
  assert.is(fault.code, 'MODEL_MISSING');
  const revision = await faultOf(() => run({ action: 'add', name: folder, revision: 'main', store }));
  assert.is(revision.code, 'USAGE_INVALID');
});

command('a bar is drawn where somebody watches, and taken away', async () => {
  await withHub(plain, async ({ endpoint }) => {
    const environment = { HF_ENDPOINT: endpoint };
    const { error } = await run(
      { action: 'add', name: repository, store: fresh() },
      { environment, tty: true },
    );
    const lines = error.split('\r\x1b[K');
    assert.match(lines[1] ?? '', /^\[#*\.*\] +\d+ % {2}\d+ MB of \d+ MB {2}\S+\.json$/);
    assert.is(lines.at(-1), '');
  });
});

command('Ctrl-C is an interruption, and the same command goes on', async () => {
  await withHub(plain, async (hub) => {
    const store = fresh();
    const stop = new AbortController();
    hub.misbehave = (request) => (isBlob(request) ? { halfway: () => stop.abort() } : undefined);
    const environment = { HF_ENDPOINT: hub.endpoint };
    const argv = { action: 'add', name: repository, store } as const;
    const fault = await faultOf(() => run(argv, { environment, signal: stop.signal }));
    assert.is(fault.code, 'INTERRUPTED');
    hub.misbehave = () => undefined;
    assert.match((await run(argv, { environment })).out, /is installed/);
  });
});

command('a broken connection is said, and what comes of it', async () => {
  await withHub(plain, async (hub) => {
    let requests = 0;
    hub.misbehave = () => (++requests === 1 ? { status: 503 } : undefined);
    const environment = { HF_ENDPOINT: hub.endpoint };
    const { error } = await run({ action: 'add', name: repository, store: fresh() }, { environment });
    assert.match(error, /^127\.0\.0\.1:\d+ answered 503: trying again in 1 s\n$/);
  });
});

command('what is not installed is described by the catalogue', async () => {
  const { out } = await run({ action: 'info', name: 'distil-small.en', store: fresh() });
  assert.match(out, /^distil-small\.en: not installed; harkd models add distil-small\.en\n/);
  assert.match(out, /\n {2}licence +mit\n/);
  assert.match(out, /\n {2}Raspberry Pi 5 +expected: /);
});

command('the embedded model is described, verified and kept', async () => {
  const store = fresh();
  assert.match((await run({ action: 'info', name: 'embedded', store })).out, /\n {2}from +harkd itself\n/);
  assert.is((await run({ action: 'verify', name: 'embedded', store })).out, 'ok    embedded\n');
  assert.is((await faultOf(() => run({ action: 'remove', name: 'embedded', store }))).code, 'USAGE_INVALID');
});

command('a name is asked for', async () => {
  for (const action of ['add', 'info', 'remove'] as const) {
    const fault = await faultOf(() => run({ action, store: fresh() }));
    assert.is(fault.code, 'USAGE_INVALID');
    assert.match(fault.message, new RegExp(action));
  }
});

command('without --store the user’s own is taken', async () => {
  const home = fresh();
  const { out } = await run(
    { action: 'add', name: plain, as: 'mine', json: true },
    { environment: { STATE_DIRECTORY: home } },
  );
  assert.is(JSON.parse(out).modelDir, path.join(home, 'models/mine'));
  rmSync(home, { recursive: true });
});

command('boards are known by what their firmware calls them', () => {
  assert.is(boardOf('Raspberry Pi 4 Model B Rev 1.5\0', 'arm64'), 'pi4');
  assert.is(boardOf('Raspberry Pi 5 Model B Rev 1.0\0', 'arm64'), 'pi5');
  assert.is(boardOf('Raspberry Pi Compute Module 4 Rev 1.0\0', 'arm64'), 'pi4');
  assert.is(boardOf('Orange Pi 5 Plus\0', 'arm64'), undefined);
  assert.is(boardOf('', 'x64'), 'x86');
});

command.run();
