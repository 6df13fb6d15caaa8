import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { Fault } from '../../faults.ts';

const types: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.svg': 'image/svg+xml',
};

export type Asset = { readonly body: Buffer; readonly type: string; readonly etag: string };

/**
 * The files of the pages by name, read once: a request names one of them or nothing, and never a path.
 * `folder` is dist/daemon/sinks/http/page, which `npm run build` fills.
 */
export function readAssets(folder: string): ReadonlyMap<string, Asset> {
  const assets = new Map<string, Asset>();
  for (const name of namesIn(folder)) {
    const type = types[path.extname(name)];
    if (type === undefined) continue;
    const body = readFileSync(path.join(folder, name));
    const etag = `"${createHash('sha256').update(body).digest('base64url').slice(0, 22)}"`;
    assets.set(name, { body, type, etag });
  }
  return assets;
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch (cause) {
    throw new Fault('INTERNAL', `the web page is missing: ${folder}`, 'build it with: npm run build', {
      cause,
    });
  }
}
