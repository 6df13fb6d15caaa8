/**
 * ONNX Runtime 1.29+ writes a device identifier below $HOME and opens sockets when it is loaded on Linux, unless
 * told not to or `CI` is set. Hence a child process without `CI`, without ORT_DISABLE_TELEMETRY, with an empty HOME.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { GraphBuilder } from '../../models/graph/builder.ts';
import { temporaryDir, writeGraph } from '../graph-files.ts';
import { announceSkip } from '../skip.ts';

const telemetry = suite('telemetry');
const dir = temporaryDir();

const graph = new GraphBuilder('double', 'double.bin');
const x = graph.input('x', 'float32', [1]);
graph.output('y', graph.add(x, x), 'float32', [1]);
const graphPath = writeGraph(dir, 'double', 'double.bin', graph.finish('0'));

const cpuModule = path.join(import.meta.dirname, '../../providers/cpu.js');
const ortModule = import.meta.resolve('onnxruntime-node');

const throughProvider = `
  const { provider } = await import(${JSON.stringify(cpuModule)});
  const session = await provider.open(${JSON.stringify(graphPath)});
  const { y } = await session.run({ x: { type: 'float32', dims: [1], data: Float32Array.of(2) } }, ['y']);
  await session.close();
  console.log('y is', y.data[0]);
`;
const throughLibrary = `
  const ort = await import(${JSON.stringify(ortModule)});
  const session = await ort.InferenceSession.create(${JSON.stringify(graphPath)});
  await session.release();
  console.log('opened');
`;

function environmentWithout(home: string): NodeJS.ProcessEnv {
  const { CI: _ci, ORT_DISABLE_TELEMETRY: _ort, XDG_CACHE_HOME: _cache, ...rest } = process.env;
  for (const name of Object.keys(rest)) if (/^(CI_|GITHUB_|TF_BUILD|BUILD_)/.test(name)) delete rest[name];
  return { ...rest, HOME: home };
}

function runChild(program: string, home: string, wrapper: readonly string[] = []) {
  const command = [...wrapper, process.execPath, '--input-type=module', '-e', program];
  const child = spawnSync(command[0] as string, command.slice(1), {
    env: environmentWithout(home),
    encoding: 'utf8',
    timeout: 60_000,
  });
  return { output: `${child.stdout}${child.stderr}`, status: child.status };
}

function works(command: readonly string[]): boolean {
  return spawnSync(command[0] as string, command.slice(1), { timeout: 10_000 }).status === 0;
}

telemetry('a session leaves nothing below an empty HOME', () => {
  const home = temporaryDir();
  const { output, status } = runChild(throughProvider, home);
  assert.is(status, 0, output);
  assert.match(output, 'y is 4');
  assert.equal(readdirSync(home), []);
});

if (works(['strace', '-V']) && works(['unshare', '-n', 'true'])) {
  const trace = (program: string, home: string) => {
    const file = path.join(home, 'trace');
    const run = runChild(program, home, [
      'unshare',
      '-n',
      'strace',
      '-f',
      '-e',
      'trace=socket,connect',
      '-o',
      file,
    ]);
    assert.is(run.status, 0, run.output);
    return readFileSync(file, 'utf8')
      .split('\n')
      .filter((line) => /socket\(AF_INET/.test(line));
  };

  telemetry('a session opens no network socket', () => {
    assert.equal(trace(throughProvider, temporaryDir()), []);
  });

  telemetry('the library left alone would: the two tests above can fail', () => {
    const home = temporaryDir();
    const sockets = trace(throughLibrary, home);
    assert.ok(sockets.length > 0 || existsSync(path.join(home, '.cache/Microsoft')));
  });
} else {
  announceSkip('telemetry: sockets', 'needs strace and the right to unshare the network (root)');
}

telemetry('a worker thread without the variable in the process environment is refused', () => {
  const program = `
    const { Worker } = await import('node:worker_threads');
    const source = \`import(${JSON.stringify(cpuModule)}).then(({ provider }) => provider.open(${JSON.stringify(
      graphPath,
    )})).then(() => console.log('opened'), (fault) => console.log(fault.code))\`;
    new Worker(source, { eval: true });
  `;
  const { output } = runChild(program, temporaryDir());
  assert.match(output, 'PROVIDER_UNAVAILABLE');
});

telemetry.run();
