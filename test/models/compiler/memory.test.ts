/** How much memory compiling takes: weights go through some rows at a time. */
import { spawnSync } from 'node:child_process';
import { statSync } from 'node:fs';
import path from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { publishedShapes, writeRandomWhisper } from '../../fixtures/random-whisper.ts';
import { temporaryDir } from '../../graph-files.ts';

const memory = suite('memory of compiling');

memory('a process that compiles holds less than twice the checkpoint, in half precision too', () => {
  const shape = { ...publishedShapes['tiny.en'], encoderLayers: 8, decoderLayers: 8 };
  const dir = writeRandomWhisper(temporaryDir(), { shape, precision: 'BF16' });
  const checkpointBytes = statSync(path.join(dir, 'model.safetensors')).size;
  const url = new URL('../../../models/compiler/compile.js', import.meta.url).href;
  const program = `import { compile } from ${JSON.stringify(url)};
    const { report } = compile(${JSON.stringify(dir)}, ${JSON.stringify(path.join(temporaryDir(), 'out'))});
    process.stdout.write(String(report.peakRssBytes));`;
  const { stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', program], {
    encoding: 'utf8',
  });
  assert.is(stderr, '');
  // of the whole process: 50 MB are Node.js itself, 50 MB a tokenizer of 50 000 words being read
  const peakBytes = Number(stdout);
  assert.ok(peakBytes > 0 && peakBytes < 2 * checkpointBytes, `${peakBytes} for ${checkpointBytes}`);
});

memory.run();
