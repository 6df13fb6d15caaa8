import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { listModels, verifyInstalled } from '../../../models/store/installed.ts';
import { faultOf } from '../../faults.ts';
import { announceSkip } from '../../skip.ts';
import {
  add,
  forever,
  fresh,
  isBlob,
  model,
  name,
  plain,
  resizeWeights,
  root,
  withHub,
} from './hub-tests.ts';

const room = suite('room');

room('a model larger than the disk is refused before the first byte', async () => {
  await withHub(plain, async (hub) => {
    const { bavail, bsize } = statfsSync(root);
    hub.alterListing = (listing) => resizeWeights(listing, bavail * bsize);
    const fault = await faultOf(() => add(hub, fresh()));
    assert.is(fault.code, 'DISK_FULL');
    assert.match(fault.message, /takes \d+ MB more, .* has \d+ MB left/);
    assert.ok(hub.seen.every(({ path: url }) => url.startsWith('/api/')));
  });
});

const smallDisk = path.join(root, 'small-disk');
try {
  mkdirSync(smallDisk);
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=24m', 'tmpfs', smallDisk], { stdio: 'pipe' });
  // before the folder it lies in is removed
  process.prependListener('exit', () => execFileSync('umount', [smallDisk]));
  room('a disk that fills up on the way: the rest is given back, the old model works', async () => {
    const storeDir = path.join(smallDisk, 'models');
    await withHub(plain, async (hub) => void (await add(hub, storeDir)));
    await withHub(model({ seed: 3 }), async (hub) => {
      const filler = path.join(smallDisk, 'filler');
      hub.misbehave = (request) =>
        isBlob(request)
          ? {
              halfway: () => {
                try {
                  writeFileSync(filler, Buffer.alloc(24 << 20));
                } catch {}
              },
            }
          : undefined;
      const fault = await faultOf(() => add(hub, storeDir));
      assert.is(fault.code, 'DISK_FULL');
      assert.match(fault.message, /ENOSPC/);
      assert.equal(readdirSync(storeDir), [name], 'what was fetched is removed');
      const [old] = listModels([storeDir]);
      assert.ok(old !== undefined);
      await verifyInstalled(old, forever);
      rmSync(filler);
      hub.misbehave = () => undefined;
      assert.is((await add(hub, storeDir)).unchanged, false);
    });
  });
  room('a store that cannot be written says who may', async () => {
    execFileSync('mount', ['-o', 'remount,ro', smallDisk]);
    await withHub(plain, async (hub) => {
      for (const storeDir of [path.join(smallDisk, 'models'), path.join(smallDisk, 'new')]) {
        const fault = await faultOf(() => add(hub, storeDir));
        assert.is(fault.code, 'STORE_UNWRITABLE');
        assert.match(fault.message, /EROFS|cannot be made/);
        assert.match(fault.hint, /sudo/);
      }
      assert.equal(hub.seen, [], 'found out before anything is asked for');
    });
  });
} catch {
  announceSkip('a disk that fills up or is read-only', 'mounting a small tmpfs needs root');
}

room('two at once: the second is told, the first is not disturbed', async () => {
  await withHub(plain, async (hub) => {
    const storeDir = fresh();
    let second: Promise<unknown> | undefined;
    hub.misbehave = (request) =>
      isBlob(request)
        ? {
            halfway: async () => {
              second = faultOf(() => add(hub, storeDir));
              await second;
            },
          }
        : undefined;
    await add(hub, storeDir);
    const fault = (await second) as Awaited<ReturnType<typeof faultOf>>;
    assert.is(fault.code, 'STORE_BUSY');
    assert.match(fault.message, new RegExp(`process ${process.pid}$`));
    assert.is(hub.seen.filter(isBlob).length, 1);
  });
});

room.run();
