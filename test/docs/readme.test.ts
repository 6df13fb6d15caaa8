/** The README's commands are run, or at least understood, by the program they are written for. */
import { spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { cleanEnvironment, harkd, packageDir } from '../fixtures/daemon.ts';
import { sentencesOf } from '../fixtures/demo.ts';

const text = readFileSync(path.join(packageDir, 'README.md'), 'utf8');
const blocks = [...text.matchAll(/```sh\n([\s\S]*?)```/g)].flatMap(([, block]) => (block ?? '').split('\n'));
/** Commands without their comments. */
const commands = blocks.map((line) => line.replace(/\s+#.*$/, '').trim()).filter((line) => line !== '');
const inProse = [...text.matchAll(/`(harkd [a-z][^`]*)`/g)].map(([, command]) => command ?? '');

const readme = suite('readme');

readme('the demo prints every spoken sentence as a final that came over MQTT, and ends with 0', async () => {
  assert.ok(commands.includes('npm run demo'));
  const { scripts } = JSON.parse(readFileSync(path.join(packageDir, 'package.json'), 'utf8')) as {
    scripts: Record<string, string>;
  };
  // the build has just been made by whoever runs this test
  const program = /node (\S+)$/.exec(scripts['demo'] ?? '')?.[1];
  assert.ok(program !== undefined, scripts['demo']);
  const { code, output } = await new Promise<{ code: number | null; output: string }>((resolve) => {
    const child = spawn(process.execPath, [program], {
      cwd: packageDir,
      env: cleanEnvironment(),
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let output = '';
    child.stdout.on('data', (chunk) => {
      output += chunk;
    });
    child.once('close', (code) => resolve({ code, output }));
  });
  assert.is(code, 0, output);
  const spoken = sentencesOf('household.wav').map((sentence) => sentence.text);
  const finals = [...output.matchAll(/^ +\d+\.\d s +final +"(.*)"/gm)].map(([, final]) => final);
  assert.equal(finals, spoken, output);
  for (const what of ['broker', 'status', 'speech', 'health', 'done']) {
    assert.match(output, new RegExp(`^ +\\d+\\.\\d s +${what} `, 'm'));
  }
  // what the README promises is what comes
  const promised = [...text.matchAll(/^ +\d+\.\d s +final +"(.*)"/gm)].map(([, final]) => final);
  assert.equal(promised, spoken.slice(0, promised.length));
  assert.ok(promised.length > 0);
});

readme('every npm script it names exists', () => {
  const { scripts } = JSON.parse(readFileSync(path.join(packageDir, 'package.json'), 'utf8')) as {
    scripts: Record<string, string>;
  };
  for (const [, name] of text.matchAll(/npm run ([a-z:0-9-]+)/g)) assert.ok(scripts[name ?? ''], name);
});

readme('every harkd command and option it names is known to the program', async () => {
  const named = [...commands.filter((command) => command.startsWith('harkd ')), ...inProse];
  assert.ok(named.length > 5);
  const helps = new Map<string, string>();
  for (const command of named) {
    const [, word = '', second = '', ...others] = command.split(' ');
    // `harkd models add …` is a command of two words
    const name = ['models', 'config'].includes(word) ? `${word} ${second}` : word;
    const rest = [second, ...others];
    if (!helps.has(name)) {
      const { code, stdout } = await harkd([...name.split(' '), '--help']);
      assert.is(code, 0, command);
      helps.set(name, stdout);
    }
    for (const option of rest.filter((word) => word.startsWith('--'))) {
      assert.ok(helps.get(name)?.includes(option.split('=')[0] ?? ''), `${command}: ${option}`);
    }
  }
});

readme('every file it links to is there', () => {
  for (const [, link = ''] of text.matchAll(/\]\((?!https?:)([^)#]+)/g)) {
    assert.ok(existsSync(path.join(packageDir, link)), link);
  }
});

readme.run();
