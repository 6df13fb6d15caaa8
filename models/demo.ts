import { cp, mkdir } from 'node:fs/promises';
import path from 'node:path';

/** Puts the demonstration recordings and what is said in them beside the model in `distDir`. Answers the folder. */
export async function bringDemo(rootDir: string, distDir: string): Promise<string> {
  const demoDir = path.join('models', 'embedded', 'demo');
  await mkdir(path.join(distDir, demoDir), { recursive: true });
  await cp(path.join(rootDir, demoDir), path.join(distDir, demoDir), {
    recursive: true,
    filter: (source) => !source.endsWith('.sh'),
  });
  return path.join(distDir, demoDir);
}
