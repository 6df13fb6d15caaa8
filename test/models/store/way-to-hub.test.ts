import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { request as ask, createServer } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import path from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { readHubAccess } from '../../../models/store/hub-access.ts';
import { faultOf } from '../../faults.ts';
import type { Seen } from '../../fixtures/hub-server.ts';
import {
  add,
  assertNothingIn,
  fresh,
  isBlob,
  isWeights,
  name,
  plain,
  repository,
  weightsBytes,
  withHub,
} from './hub-tests.ts';

const way = suite('the way to the hub');

way('a connection that breaks again and again costs no byte twice', async () => {
  await withHub(plain, async (hub) => {
    hub.misbehave = (request) => (isBlob(request) ? { dropAfter: 150_000 } : undefined);
    const { card } = await add(hub, fresh());
    assert.is(card.files['model.safetensors']?.bytes, weightsBytes);
    const blobs = hub.seen.filter(isBlob);
    assert.ok(blobs.length > weightsBytes / 150_000, `${blobs.length} requests`);
    assert.is(blobs[0]?.range, undefined);
    const starts = blobs.slice(1).map(({ range }) => Number(/^bytes=(\d+)-$/.exec(range ?? '')?.[1]));
    assert.ok(
      starts.every((start, i) => start > (starts[i - 1] ?? 0)),
      starts.join(),
    );
    assert.ok(blobs.slice(1).every(({ ifRange }) => ifRange !== undefined));
    const total = readdirSync(plain).reduce(
      (sum, file) => sum + readFileSync(path.join(plain, file)).length,
      0,
    );
    assert.ok(hub.sentBytes() < total + 20_000, `${hub.sentBytes()} bytes sent for ${total}`);
  });
});

way('an interrupted download goes on in the next run', async () => {
  await withHub(plain, async (hub) => {
    const storeDir = fresh();
    const stop = new AbortController();
    const stopped = await add(hub, storeDir, {
      signal: stop.signal,
      onProgress: (each) => {
        if (
          each.phase === 'fetch' &&
          each.file === 'model.safetensors' &&
          each.doneBytes > each.totalBytes / 3
        ) {
          stop.abort(new Error('enough'));
        }
      },
    }).catch((thrown: unknown) => thrown);
    assert.is((stopped as Error).message, 'enough');
    assertNothingIn(storeDir);
    const before = hub.sentBytes();
    const seenBefore = hub.seen.length;
    await add(hub, storeDir);
    const blobs = hub.seen.slice(seenBefore).filter(isBlob);
    assert.is(blobs.length, 1);
    assert.match(blobs[0]?.range ?? '', /^bytes=[1-9]/);
    assert.ok(hub.seen.slice(seenBefore).every(({ path: url }) => !url.includes('tokenizer.json')));
    assert.ok(hub.sentBytes() - before < weightsBytes);
  });
});

way('what was kept and is not the beginning of the file is fetched again', async () => {
  await withHub(plain, async (hub) => {
    const storeDir = fresh();
    const incoming = path.join(storeDir, `.incoming-${name}`, hub.commit);
    mkdirSync(incoming, { recursive: true });
    writeFileSync(path.join(incoming, 'model.safetensors.part'), Buffer.alloc(300_000, 1));
    await add(hub, storeDir);
    assert.equal(
      hub.seen.filter(isBlob).map(({ range }) => range),
      ['bytes=300000-', undefined],
    );
  });
});

way('another version on the server is not appended to what is here', async () => {
  await withHub(plain, async (hub) => {
    const storeDir = fresh();
    const incoming = path.join(storeDir, `.incoming-${name}`, hub.commit);
    mkdirSync(incoming, { recursive: true });
    writeFileSync(path.join(incoming, 'model.safetensors.part'), Buffer.alloc(300_000, 1));
    writeFileSync(path.join(incoming, 'model.safetensors.etag'), '"of-yesterday"');
    await add(hub, storeDir);
    const blobs = hub.seen.filter(isBlob);
    assert.is(blobs.length, 1, 'the server sends all of it, because the tag differs');
    assert.is(blobs[0]?.ifRange, '"of-yesterday"');
  });
});

way('what was kept of another commit, or is too long, is forgotten', async () => {
  await withHub(plain, async (hub) => {
    const storeDir = fresh();
    const incoming = path.join(storeDir, `.incoming-${name}`);
    mkdirSync(path.join(incoming, hub.commit), { recursive: true });
    mkdirSync(path.join(incoming, 'f'.repeat(40)));
    writeFileSync(path.join(incoming, hub.commit, 'model.safetensors.part'), Buffer.alloc(weightsBytes + 1));
    await add(hub, storeDir);
    assert.equal(
      hub.seen.filter(isBlob).map(({ range }) => range),
      [undefined],
    );
    assert.equal(readdirSync(storeDir), [name]);
  });
});

way('a server that falls silent is left and asked again', async () => {
  await withHub(plain, async (hub) => {
    let stalls = 0;
    hub.misbehave = (request) => (isBlob(request) && stalls++ < 2 ? { stallAfter: 100_000 } : undefined);
    await add(hub, fresh(), { stallMs: 150 });
    assert.is(hub.seen.filter(isBlob).length, 3);
  });
});

way('passing troubles pass', async () => {
  for (const trouble of [
    { status: 500 },
    { status: 503, headers: { 'retry-after': '0' } },
    { status: 429, headers: { 'retry-after': new Date(0).toUTCString() } },
    { status: 408 },
    { dropAfter: 0 },
  ]) {
    await withHub(plain, async (hub) => {
      const counts = new Map<string, number>();
      // every address fails twice
      hub.misbehave = ({ place, path: url }) => {
        const count = (counts.get(place + url) ?? 0) + 1;
        counts.set(place + url, count);
        return count <= 2 ? trouble : undefined;
      };
      await add(hub, fresh(), { patience: { attempts: 6, firstMs: 1, mostMs: 4 } });
    });
  }
});

way('lasting troubles do not, and say what to do', async () => {
  for (const [how, code, message, hint] of [
    [{ status: 500 }, 'HUB_UNREACHABLE', /500/, /same command/],
    [{ status: 429, headers: { 'retry-after': '100000' } }, 'HUB_UNREACHABLE', /429/, /same command/],
    [{ status: 401 }, 'HUB_REFUSED', /401/, /HF_TOKEN/],
    [
      { status: 403, headers: { 'x-error-code': 'GatedRepo' } },
      'HUB_REFUSED',
      /consent.*GatedRepo/,
      /accept/,
    ],
    [{ status: 401, headers: { 'x-error-code': 'RepoNotFound' } }, 'MODEL_MISSING', /repository/, /HF_TOKEN/],
    [{ status: 404, headers: { 'x-error-code': 'RevisionNotFound' } }, 'MODEL_MISSING', /revision/, /name/],
    [{ status: 404, headers: { 'x-error-code': 'EntryNotFound' } }, 'MODEL_MISSING', /file/, /name/],
    [{ status: 404 }, 'MODEL_MISSING', /404/, /name/],
    [{ status: 418 }, 'HUB_REFUSED', /418/, /HF_ENDPOINT/],
    [{ dropAfter: 10 }, 'HUB_UNREACHABLE', /./, /same command/],
  ] as const) {
    // what refuses may be the list, the hub's address of a file, or where it sends us
    for (const where of code === 'HUB_UNREACHABLE' ? [() => true, isWeights, isBlob] : [() => true, isBlob]) {
      await withHub(plain, async (hub) => {
        const storeDir = fresh();
        hub.misbehave = (request) => (where(request) ? how : undefined);
        const fault = await faultOf(() => add(hub, storeDir));
        assert.is(fault.code, code, fault.message);
        assert.match(fault.message, message);
        assert.match(fault.hint, hint);
        assertNothingIn(storeDir);
      });
    }
  }
});

way('nobody there is said, with the address', async () => {
  await withHub(plain, async (hub) => {
    await hub.close();
    const fault = await faultOf(() => add(hub, fresh()));
    assert.is(fault.code, 'HUB_UNREACHABLE');
    assert.match(fault.message, /^127\.0\.0\.1:\d+: ECONNREFUSED/);
  });
});

way('HF_HUB_OFFLINE sends nothing', async () => {
  await withHub(plain, async (hub) => {
    for (const value of ['1', 'true', 'YES', 'on']) {
      const fault = await faultOf(() => add(hub, fresh(), { environment: { HF_HUB_OFFLINE: value } }));
      assert.is(fault.code, 'HUB_UNREACHABLE');
      assert.match(fault.message, /HF_HUB_OFFLINE/);
    }
    assert.equal(hub.seen, []);
    await add(hub, fresh(), { environment: { HF_HUB_OFFLINE: '0' } });
  });
});

way('the token goes to the hub and nowhere else', async () => {
  await withHub(plain, async (hub) => {
    await add(hub, fresh(), { environment: { HF_TOKEN: ' hf_secret\n' } });
    const at = (place: Seen['place']) =>
      new Set(hub.seen.filter((each) => each.place === place).map(({ authorization }) => authorization));
    assert.equal([...at('hub')], ['Bearer hf_secret']);
    assert.equal([...at('elsewhere')], [undefined]);
  });
});

way('the token does not come back with us, and no fault shows it', async () => {
  await withHub(plain, async (hub) => {
    const back = `${hub.endpoint}/${repository}/resolve/${hub.commit}/model.safetensors`;
    let visits = 0;
    hub.misbehave = (request) => {
      if (isBlob(request)) return { status: 302, headers: { location: back } };
      if (isWeights(request) && ++visits > 1) return { status: 401 };
      return undefined;
    };
    const fault = await faultOf(() => add(hub, fresh(), { environment: { HF_TOKEN: 'hf_secret' } }));
    assert.equal(
      hub.seen.filter(isWeights).map(({ place, authorization }) => [place, authorization]),
      [
        ['hub', 'Bearer hf_secret'],
        ['elsewhere', undefined],
        ['hub', undefined],
      ],
    );
    assert.not.match(`${fault.message} ${fault.hint} ${fault.stack}`, /hf_secret/);
  });
});

way('a redirect leads to another web page or nowhere', async () => {
  for (const location of ['file:///etc/passwd', 'ftp://example.org/x', 'http://', undefined]) {
    await withHub(plain, async (hub) => {
      hub.misbehave = (request) =>
        isWeights(request) ? { status: 302, headers: location === undefined ? {} : { location } } : undefined;
      assert.is((await faultOf(() => add(hub, fresh()))).code, 'HUB_ANSWER_INVALID', location);
    });
  }
  await withHub(plain, async (hub) => {
    hub.misbehave = (request) =>
      isWeights(request) ? { status: 307, headers: { location: request.path } } : undefined;
    const fault = await faultOf(() => add(hub, fresh()));
    assert.is(fault.code, 'HUB_ANSWER_INVALID');
    assert.is(hub.seen.filter(isWeights).length, 6, 'five redirects are followed, and no more');
  });
});

way('a proxy is used, except for whom it is not', async () => {
  let tunnels = 0;
  const proxy = createServer((incoming, outgoing) => {
    tunnels++;
    const { hostname, port, pathname, search } = new URL(incoming.url ?? '');
    incoming.pipe(
      ask({ hostname, port, path: pathname + search, headers: incoming.headers }, (answer) => {
        outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
        answer.pipe(outgoing);
      }),
    );
  });
  proxy.on('connect', ({ url = '' }, socket) => {
    tunnels++;
    const [host, port] = url.split(':');
    const there = connect(Number(port), host, () => {
      socket.write('HTTP/1.1 200 Connection established\r\n\r\n');
      there.pipe(socket).pipe(there);
    });
    there.on('error', () => socket.destroy());
    socket.on('error', () => there.destroy());
  });
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
  const address = `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`;
  try {
    await withHub(plain, async (hub) => {
      await add(hub, fresh(), { environment: { HTTP_PROXY: address } });
      assert.ok(tunnels > 0);
      tunnels = 0;
      await add(hub, fresh(), { environment: { http_proxy: address, no_proxy: '127.0.0.1' } });
      await add(hub, fresh(), { environment: { http_proxy: '', HTTP_PROXY: address } });
      assert.is(tunnels, 0);
    });
  } finally {
    proxy.closeAllConnections();
    proxy.close();
  }
});

way('the environment is checked', async () => {
  for (const environment of [
    { HF_ENDPOINT: 'huggingface.co' },
    { HF_ENDPOINT: 'ftp://huggingface.co' },
    { HF_ENDPOINT: 'https://user:word@huggingface.co' },
    { HF_ENDPOINT: 'http://mirror.local', HF_TOKEN: 'hf_secret' },
    { HF_TOKEN: 'with\nnewline' },
    { HTTPS_PROXY: 'proxy:3128' },
    { http_proxy: 'socks5://user:hf_secret@proxy' },
  ]) {
    const fault = await faultOf(() => readHubAccess(environment));
    assert.is(fault.code, 'CONFIG_INVALID', JSON.stringify(environment));
    assert.not.match(fault.message, /hf_secret/);
  }
  assert.is(readHubAccess({}).endpoint, 'https://huggingface.co');
  assert.is(readHubAccess({ HF_ENDPOINT: 'https://mirror.local/hf/' }).endpoint, 'https://mirror.local/hf');
  assert.is(readHubAccess({ HF_ENDPOINT: 'http://localhost:1', HF_TOKEN: 'hf_x' }).token, 'hf_x');
});

way.run();
