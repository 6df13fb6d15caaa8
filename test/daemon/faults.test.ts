import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Fault, toFault } from '../../daemon/faults.ts';

const faults = suite('faults');

faults('a fault ends with the exit code of its kind', () => {
  assert.is(new Fault('CONFIG_INVALID', 'm', 'h').exitCode, 78);
  assert.is(new Fault('INPUT_MISSING', 'm', 'h').exitCode, 66);
});

faults('anything else that is thrown is a bug and keeps its cause', () => {
  const bug = new TypeError('x is undefined');
  const fault = toFault(bug);
  assert.is(fault.code, 'INTERNAL');
  assert.is(fault.cause, bug);
  assert.is(toFault(fault), fault);
});

faults.run();
