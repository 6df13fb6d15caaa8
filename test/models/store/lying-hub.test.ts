import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { faultOf } from '../../faults.ts';
import {
  add,
  assertNothingIn,
  fresh,
  isBlob,
  isWeights,
  name,
  plain,
  resizeWeights,
  weightsBytes,
  withHub,
} from './hub-tests.ts';

const lies = suite('what a hub may not say');
lies('wrong bytes are refused with both hashes, and the old model stays', async () => {
  await withHub(plain, async (hub) => {
    const storeDir = fresh();
    const wrong = readFileSync(path.join(plain, 'model.safetensors'));
    wrong.writeUInt8(wrong.readUInt8(60_000) ^ 0x10, 60_000);
    hub.misbehave = (request) => (isBlob(request) ? { body: wrong } : undefined);
    const fault = await faultOf(() => add(hub, storeDir));
    assert.is(fault.code, 'MODEL_CHECKSUM_MISMATCH');
    const got = createHash('sha256').update(wrong).digest('hex');
    const right = createHash('sha256')
      .update(readFileSync(path.join(plain, 'model.safetensors')))
      .digest('hex');
    assert.is(fault.message, `model.safetensors has sha256 ${got}, the hub says ${right}`);
    assertNothingIn(storeDir);
    hub.misbehave = () => undefined;
    await add(hub, storeDir);
  });
});

lies('wrong bytes of a small file are found by its name in git', async () => {
  await withHub(plain, async (hub) => {
    const wrong = readFileSync(path.join(plain, 'config.json'), 'utf8').replace('"gelu"', '"relu"');
    hub.misbehave = ({ path: url }) => (url.endsWith('/config.json') ? { body: wrong } : undefined);
    const fault = await faultOf(() => add(hub, fresh()));
    assert.is(fault.code, 'MODEL_CHECKSUM_MISMATCH');
    assert.match(fault.message, /^config\.json has git-sha1 [0-9a-f]{40}, the hub says [0-9a-f]{40}$/);
  });
});

lies('sizes that differ between the list and the server', async () => {
  for (const factor of [0.5, 2]) {
    await withHub(plain, async (hub) => {
      const storeDir = fresh();
      hub.alterListing = (listing) => resizeWeights(listing, Math.floor(weightsBytes * factor));
      const fault = await faultOf(() => add(hub, storeDir));
      assert.is(fault.code, 'HUB_ANSWER_INVALID');
      assert.match(fault.message, /the hub lists \d+ bytes, then announces \d+/);
      assertNothingIn(storeDir);
    });
  }
});

lies('sizes that nobody announces', async () => {
  for (const [factor, code] of [
    [0.5, 'HUB_ANSWER_INVALID'],
    [2, 'HUB_UNREACHABLE'],
  ] as const) {
    await withHub(plain, async (hub) => {
      const storeDir = fresh();
      hub.alterListing = (listing) => resizeWeights(listing, Math.floor(weightsBytes * factor));
      const blob = readFileSync(path.join(plain, 'model.safetensors'));
      hub.misbehave = (request) =>
        isWeights(request) ? { body: blob, chunked: true, status: 200 } : undefined;
      assert.is((await faultOf(() => add(hub, storeDir))).code, code);
      assertNothingIn(storeDir);
      const kept = path.join(storeDir, `.incoming-${name}`, hub.commit, 'model.safetensors.part');
      assert.ok(
        readFileSync(kept).length <= weightsBytes * factor,
        'never more on the disk than was announced',
      );
    });
  }
});

lies('another part than the one asked for', async () => {
  for (const [contentRange, code] of [
    [`bytes 5-9/${weightsBytes}`, undefined],
    ['bytes 100000-100001/7', 'HUB_ANSWER_INVALID'],
    ['nonsense', undefined],
  ] as const) {
    await withHub(plain, async (hub) => {
      const storeDir = fresh();
      const incoming = path.join(storeDir, `.incoming-${name}`, hub.commit);
      mkdirSync(incoming, { recursive: true });
      const weights = readFileSync(path.join(plain, 'model.safetensors'));
      writeFileSync(path.join(incoming, 'model.safetensors.part'), weights.subarray(0, 100_000));
      hub.misbehave = (request) =>
        isBlob(request) && request.range !== undefined
          ? { headers: { 'content-range': contentRange } }
          : undefined;
      if (code === undefined) await add(hub, storeDir);
      else assert.is((await faultOf(() => add(hub, storeDir))).code, code);
      const ranges = hub.seen.filter(isBlob).map(({ range }) => range);
      assert.equal(ranges, code === undefined ? ['bytes=100000-', undefined] : ['bytes=100000-']);
    });
  }
});

lies('another commit than the one listed, or another coding', async () => {
  for (const headers of [{ 'x-repo-commit': 'd'.repeat(40) }, { 'content-encoding': 'gzip' }]) {
    await withHub(plain, async (hub) => {
      hub.misbehave = ({ path: url }) => (url.endsWith('/config.json') ? { headers } : undefined);
      assert.is((await faultOf(() => add(hub, fresh()))).code, 'HUB_ANSWER_INVALID');
    });
  }
});

lies('a list that never ends', async () => {
  await withHub(plain, async (hub) => {
    hub.misbehave = ({ path: url }) =>
      url.startsWith('/api/') ? { body: Buffer.alloc(65 << 20, 32), chunked: true } : undefined;
    const fault = await faultOf(() => add(hub, fresh()));
    assert.is(fault.code, 'HUB_ANSWER_INVALID');
    assert.match(fault.message, /longer than/);
  });
});

lies('a page of a portal instead of the hub', async () => {
  await withHub(plain, async (hub) => {
    hub.misbehave = () => ({ status: 200, body: '<html>Please log in</html>' });
    assert.is((await faultOf(() => add(hub, fresh()))).code, 'HUB_ANSWER_INVALID');
  });
});

lies.run();
