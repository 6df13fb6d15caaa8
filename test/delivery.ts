/**
 * `npm run test:delivery`: 1,000 finals through 20 broker kills, 10 `kill -9` of the daemon and a disk that fills up.
 * Ends with 0 if none of those that were safe was lost, all came in order, and repeats had their id and said so.
 *
 *   node dist/test/delivery.js [seed]
 */
import { mosquittoMissing } from './fixtures/broker.ts';
import { brokenPromises, tryDelivery } from './fixtures/delivery.ts';
import { cannotMount, tinyDisk } from './fixtures/outbox.ts';
import { announceSkip } from './skip.ts';

const seed = Number(process.argv[2] ?? Math.floor(Math.random() * 1e9));
const print = (line: string) => void process.stdout.write(`${line}\n`);

if (mosquittoMissing !== undefined) throw new Error(mosquittoMissing);
const probe = tinyDisk(64);
probe?.remove();
if (probe === undefined) announceSkip('the full disk', cannotMount);

const startedAtMs = performance.now();
print(`seed ${seed}`);
const result = await tryDelivery({
  finals: 1000,
  brokerKills: 20,
  daemonKills: 10,
  diskFills: probe === undefined ? 0 : 1,
  seed,
  report: print,
});
const problems = brokenPromises(result);
const repeats = result.arrived.length - new Set(result.arrived.map(({ seq }) => seq)).size;
for (const problem of problems) print(`BROKEN ${problem}`);
print(
  [
    `${result.promised.size} finals were safe, ${problems.length} problems, ${repeats} came again with the same id`,
    `${result.brokerKills} broker kills, ${result.daemonKills} daemon kills, ${result.diskFull} full disks`,
    `${result.notPromised} were said in the moments before a kill and not safe yet`,
    `${((performance.now() - startedAtMs) / 1000).toFixed(1)} s; again with: node dist/test/delivery.js ${seed}`,
  ].join('\n'),
);
process.exitCode = problems.length === 0 ? 0 : 1;
