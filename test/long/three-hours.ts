/**
 * A recording of three hours through `harkd transcribe`: every sentence where it was spoken, in memory that does not
 * grow. `npm run test:long`, or `npm run test:long -- MINUTES`; needs 350 MB in the temporary folder.
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { loadavg, tmpdir } from 'node:os';
import path from 'node:path';
import { mistakesIn, readSrt, writeLongRecording } from '../fixtures/long-recording.ts';
import { transcribeWatched } from '../fixtures/watched.ts';

/**
 * From the third fifth to the last. Before that the recognizer processes still grow to what they keep, 164 MB each
 * with the embedded model; of the sound, three hours are 345 MB, as numbers 690.
 */
const mostGrowthMb = 24;
/** Of all three processes; what they share counts for each. 448 were measured. */
const highestMb = 520;

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
  const growthMb = mostIn(4 * fifth, usages.length) - mostIn(2 * fifth, 3 * fifth);
  if (!(growthMb < mostGrowthMb)) problems.push(`memory grew by ${growthMb.toFixed(1)} MB`);

  const mostMb = mostIn(0, usages.length);
  if (!(mostMb < highestMb)) problems.push(`${mostMb.toFixed(0)} MB were in use`);

  const cpuSeconds = Math.max(...usages.map((u) => u.cpuSeconds));
  const audioS = minutes * 60;
  process.stdout.write(
    [
      `${minutes} minutes, ${recording.spoken.length} sentences, ${problems.length} mistakes`,
      `${(audioS / (elapsedMs / 1000)).toFixed(0)} s of sound a second, ${(audioS / cpuSeconds).toFixed(0)} a second of processor`,
      `memory of all processes: ${mostMb.toFixed(0)} MB at most, ${growthMb.toFixed(1)} MB growth from the third fifth to the last`,
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
