/**
 * A recording of three hours through `harkd transcribe`: every sentence where it was spoken, in memory that does not
 * grow. `npm run test:long`, or `npm run test:long -- MINUTES`; needs 350 MB in the temporary folder.
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { loadavg, tmpdir } from 'node:os';
import path from 'node:path';
import { mistakesIn, readSrt, writeLongRecording } from '../fixtures/long-recording.ts';
import { transcribeWatched } from '../fixtures/watched.ts';

/** Growth from the second fifth to the last: what garbage collection leaves to chance; the sound is 345 MB. */
const mostGrowthMb = 24;

const minutes = Number(process.argv[2] ?? 180);
const folder = mkdtempSync(path.join(tmpdir(), 'harkd-long-'));
try {
  const file = path.join(folder, 'long.wav');
  const srt = path.join(folder, 'long.srt');
  const recording = writeLongRecording(file, minutes * 60_000);
  const { code, stderr, usages, elapsedMs } = await transcribeWatched([
    '--format',
    'srt',
    '--output',
    srt,
    file,
  ]);
  const problems: string[] = [];
  if (code !== 0) problems.push(`exit ${code}: ${stderr}`);
  else problems.push(...mistakesIn(readSrt(readFileSync(srt, 'utf8')), recording));

  const fifth = Math.floor(usages.length / 5);
  const mostIn = (from: number, to: number): number =>
    Math.max(...usages.slice(from, to).map((u) => u.rssMb));
  const growthMb = mostIn(4 * fifth, usages.length) - mostIn(fifth, 2 * fifth);
  if (!(growthMb < mostGrowthMb)) problems.push(`memory grew by ${growthMb.toFixed(1)} MB`);

  const cpuSeconds = Math.max(...usages.map((u) => u.cpuSeconds));
  const audioS = minutes * 60;
  process.stdout.write(
    [
      `${minutes} minutes, ${recording.spoken.length} sentences, ${problems.length} mistakes`,
      `${(audioS / (elapsedMs / 1000)).toFixed(0)} s of sound a second, ${(audioS / cpuSeconds).toFixed(0)} a second of processor`,
      `memory of all processes: ${mostIn(0, usages.length).toFixed(0)} MB at most, ${growthMb.toFixed(1)} MB growth from the second fifth to the last`,
      `load average ${loadavg()
        .map((load) => load.toFixed(1))
        .join(' ')}`,
      ...problems.slice(0, 20),
      '',
    ].join('\n'),
  );
  process.exitCode = problems.length === 0 ? 0 : 1;
} finally {
  rmSync(folder, { recursive: true });
}
