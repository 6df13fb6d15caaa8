import { captureDevices, type SoundPaths, soundPaths } from './cards.ts';
import { softwarePcms } from './software-pcms.ts';

/** The names of the capture PCMs that `harkd devices` lists; none where nobody can be asked. */
export async function knownPcms(
  environment: NodeJS.ProcessEnv,
  paths: SoundPaths = soundPaths,
): Promise<string[]> {
  const cards = await captureDevices(paths);
  return [...cards, ...((await softwarePcms(environment)) ?? [])].map(({ name }) => name);
}
