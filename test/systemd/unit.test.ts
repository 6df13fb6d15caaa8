import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { exitCodeByFault } from '../../daemon/faults.ts';
import { announceSkip } from '../skip.ts';

const repoRoot = path.join(import.meta.dirname, '../../..');
const unitPath = path.join(repoRoot, 'systemd/harkd.service');
const unit = readFileSync(unitPath, 'utf8');
const folder = mkdtempSync(path.join(os.tmpdir(), 'harkd-unit-'));

/** Values of a key, one a line of the unit. */
function valuesOf(key: string): string[] {
  return [...unit.matchAll(new RegExp(`^${key}=(.*)$`, 'gm'))].map(([, value]) => value ?? '');
}

const test = suite('systemd/harkd.service');

test('is not restarted for what a restart cannot mend', () => {
  const prevented = valuesOf('RestartPreventExitStatus').join(' ').split(' ').map(Number);
  assert.equal(prevented, [64, 78]);
  for (const code of ['USAGE_INVALID', 'CONFIG_INVALID', 'MODEL_MISSING'] as const) {
    assert.ok(prevented.includes(exitCodeByFault[code]), code);
  }
});

test('is restarted when somebody asked for it, and that is no failure', () => {
  assert.equal([valuesOf('RestartForceExitStatus'), valuesOf('SuccessExitStatus')], [['75'], ['75']]);
});

test('keeps onnxruntime from reporting home, and lets the recognizer die alone', () => {
  assert.ok(valuesOf('Environment').includes('ORT_DISABLE_TELEMETRY=1'));
  assert.equal(valuesOf('OOMPolicy'), ['continue']);
});

test('has nothing that breaks V8, the sound device or the look at the processor', () => {
  for (const key of ['MemoryDenyWriteExecute', 'PrivateDevices', 'ProcSubset', 'PrivateNetwork']) {
    assert.equal(valuesOf(key), [], key);
  }
});

test('starts the program the package has', () => {
  const { bin } = JSON.parse(readFileSync(path.join(repoRoot, 'package.json'), 'utf8'));
  assert.equal(valuesOf('ExecStart'), [`/usr/bin/node /usr/lib/harkd/${bin.harkd} run`]);
});

const has = (program: string) => spawnSync(program, ['--version']).status === 0;

if (!has('systemd-analyze')) {
  announceSkip('checks of systemd-analyze on the unit', 'systemd-analyze is missing (apt install systemd)');
} else {
  // verify insists that the program exists, which is so only where harkd is installed
  const checkable = path.join(folder, 'harkd.service');
  writeFileSync(checkable, unit.replace(/^ExecStart=\S+/m, `ExecStart=${process.execPath}`));

  test('passes systemd-analyze verify without a word', () => {
    const { status, stderr } = spawnSync('systemd-analyze', ['verify', checkable], { encoding: 'utf8' });
    // an unknown key only warns, with exit code 0
    assert.is(
      stderr
        .split('\n')
        .filter((line) => line.includes('harkd'))
        .join('\n'),
      '',
    );
    assert.is(status, 0, stderr);
  });

  test('keeps its exposure at 1.5 of 10 or below', () => {
    const args = ['security', '--offline=true', '--threshold=15', '--no-pager', checkable];
    const { status, stdout, stderr } = spawnSync('systemd-analyze', args, { encoding: 'utf8' });
    assert.is(status, 0, `${stdout.trim().split('\n').at(-1)} ${stderr}`);
  });
}

if (!has('systemd-sysusers')) {
  announceSkip('systemd-sysusers on our file', 'systemd-sysusers is missing (apt install systemd)');
} else {
  test('makes the user and puts it into the group of the sound devices', () => {
    const args = [`--root=${folder}`, '--dry-run', path.join(repoRoot, 'systemd/harkd.sysusers')];
    const { status, stdout, stderr } = spawnSync('systemd-sysusers', args, { encoding: 'utf8' });
    assert.is(status, 0, stderr);
    assert.match(`${stdout}${stderr}`, /harkd/);
  });
}

test.after(() => rmSync(folder, { recursive: true }));
test.run();
