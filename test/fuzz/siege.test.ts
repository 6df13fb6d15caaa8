import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { besiege, type SiegeResult } from './siege.ts';

/**
 * The short form of `npm run test:fuzz`, or with a number of attacks in all, a seed, or both:
 *
 *   node dist/test/fuzz/siege.test.js 200000 [seed]
 */
const [, , wanted, givenSeed = '20261122'] = process.argv;
const seed = Number(givenSeed);
const isLong = wanted !== undefined;
/** Messages are cheap, requests and streams are a connection each. */
const forceOf = (attacks: number) => ({
  messages: Math.ceil(attacks * 0.5),
  requests: Math.ceil(attacks * 0.25),
  files: Math.ceil(attacks * 0.2),
  streams: Math.ceil(attacks * 0.05),
});

const test = suite('a daemon under siege');

test('nothing that comes from outside ends it, silences it or makes it grow', async () => {
  const all = isLong ? Number(wanted) : 1500;
  const print = (line: string) => void process.stdout.write(`${line}\n`);
  const startedAtMs = performance.now();
  const result: SiegeResult = await besiege({
    warmUp: forceOf(all * 0.2),
    attack: forceOf(all * 0.8),
    seed,
    ...(isLong ? { report: print } : {}),
  });
  if (isLong) {
    const { messages, streams, requests, files } = result.sent;
    const minutes = (performance.now() - startedAtMs) / 60_000;
    print(`seed ${seed}: ${messages} messages, ${streams} streams, ${requests} requests, ${files} files`);
    print(
      `${result.answered} requests answered, ${result.configs} configurations and ${result.faults} faults`,
    );
    print(
      `heap grown by ${result.heapGrownMb.toFixed(1)} MB, RSS by ${result.rssGrownMb.toFixed(1)} MB to ${result.rssMb.toFixed(0)} MB, in ${minutes.toFixed(1)} minutes`,
    );
  }
  // what was sent was understood often enough to have tested anything
  assert.ok(result.answered > result.sent.requests / 4, `${result.answered} requests were answered`);
  assert.ok(result.configs > 0 && result.faults > result.configs, `${result.configs} configurations`);
  assert.ok(result.heapGrownMb < 5, `heap grown by ${result.heapGrownMb} MB`);
  assert.ok(result.rssGrownMb < 60, `RSS grown by ${result.rssGrownMb} MB`);
});

test.run();
