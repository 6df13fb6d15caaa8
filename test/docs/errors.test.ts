import { readFileSync } from 'node:fs';
import path from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { exitCodeByFault, Fault, toFault } from '../../daemon/faults.ts';

const repoRoot = path.join(import.meta.dirname, '../../..');
const text = readFileSync(path.join(repoRoot, 'docs/errors.md'), 'utf8');

type Section = { code: string; exit: number; what: string; message: string; advice: string };

/** `### CODE` / `Exit N. what happened` / `Typically: message` / `Do: advice`, each a paragraph. */
function documentedSections(): Section[] {
  return text
    .split(/^### /m)
    .slice(1)
    .map((section) => {
      const [code = '', what = '', message = '', advice = ''] = section.trim().split(/\n\n/);
      return { code, exit: Number(/^Exit (\d+)\. /.exec(what)?.[1]), what, message, advice };
    });
}

const test = suite('docs/errors.md');

test('documents every fault code once, with its exit code, in the order of faults.ts', () => {
  const documented = documentedSections().map(({ code, exit }) => `${code} ${exit}`);
  const known = Object.entries(exitCodeByFault).map(([code, exit]) => `${code} ${exit}`);
  assert.equal(documented, known);
});

test('says what happened, a typical message and what to do for each', () => {
  for (const { code, what, message, advice } of documentedSections()) {
    assert.match(what, /^Exit \d+\. [A-Z`].{15,}/s, `${code}: what happened`);
    assert.match(message, /^Typically: `[^`]+`$/, `${code}: a typical message`);
    assert.match(advice, /^Do: .{15,}/s, `${code}: what to do`);
  }
});

test('explains every exit code in use', () => {
  for (const exit of new Set(Object.values(exitCodeByFault))) {
    assert.match(text, new RegExp(`^\\| ${exit} +\\|`, 'm'));
  }
});

test('a thrown value that is no fault is a bug, exit 70', () => {
  const fault = toFault(new TypeError('x is not a function'));
  assert.is(fault.code, 'INTERNAL');
  assert.is(fault.exitCode, 70);
  assert.is(toFault('text').message, 'text');
  const known = new Fault('INPUT_MISSING', 'a.wav: no such file', 'check the path');
  assert.is(toFault(known), known);
  assert.is(known.exitCode, 66);
});

test.run();
