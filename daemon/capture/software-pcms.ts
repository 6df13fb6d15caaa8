import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

/** A capture device that is configuration: `default`, a sound server, one of the operator's own in asound.conf. */
export type SoftwarePcm = { readonly name: string; readonly description: string };

/** Plugins that every ALSA installation lists by name and that record nothing by themselves. */
const plugins = [
  'null',
  'lavrate',
  'samplerate',
  'speexrate',
  'speex',
  'jack',
  'oss',
  'upmix',
  'vdownmix',
  'usbstream',
];

/**
 * The capture PCMs `arecord -L` lists besides those of the cards; undefined where arecord cannot be started.
 * An entry is a name at the margin and its description below, indented.
 */
export async function softwarePcms(
  environment: NodeJS.ProcessEnv,
  command = 'arecord',
): Promise<SoftwarePcm[] | undefined> {
  const env = { ...environment, LC_ALL: 'C', LANGUAGE: 'C' };
  const listing = await promisify(execFile)(command, ['-L'], { env, timeout: 5_000 }).then(
    ({ stdout }) => stdout,
    // started, but with an ALSA that has nothing to list
    (error: { readonly code?: unknown }) => (typeof error.code === 'string' ? undefined : ''),
  );
  if (listing === undefined) return undefined;
  return [...listing.matchAll(/^(\S+)\n((?:\s+.*\n?)*)/gm)]
    .map(([, name = '', description = '']) => ({
      name,
      description: description.trim().replace(/\s*\n\s*/g, ', '),
    }))
    .filter(({ name }) => !name.includes(':') && !plugins.includes(name));
}
