/**
 * The part of `npm run build` that puts beside the compiled scripts of the pages what tsc does not write.
 * Run as `node dist/daemon/sinks/http/bring-page.js`; may be repeated.
 */
import { copyFileSync, mkdirSync, readdirSync } from 'node:fs';
import path from 'node:path';

const distDir = path.join(import.meta.dirname, '../../..');
const inside = path.join('daemon', 'sinks', 'http', 'page');
const from = path.join(distDir, '..', inside);
const to = path.join(distDir, inside);

mkdirSync(to, { recursive: true });
for (const name of readdirSync(from)) {
  if (/\.(html|css|svg)$/.test(name)) copyFileSync(path.join(from, name), path.join(to, name));
}
