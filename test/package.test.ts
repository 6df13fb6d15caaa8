/** What `npm ci` needs: it refuses a lock that lacks one package of any platform, and says so only to newcomers. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { packageDir } from './fixtures/daemon.ts';

type Locked = {
  readonly version?: string;
  readonly resolved?: string;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly devDependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
};
const readJson = (file: string) => JSON.parse(readFileSync(path.join(packageDir, file), 'utf8'));
const { packages } = readJson('package-lock.json') as { packages: Record<string, Locked> };
const manifest = readJson('package.json') as Locked;

const lock = suite('package');

lock('the lock has an entry for everything that is depended on, on every platform', () => {
  const missing: string[] = [];
  for (const [where, { dependencies, devDependencies, optionalDependencies }] of Object.entries(packages)) {
    for (const name of Object.keys({ ...dependencies, ...devDependencies, ...optionalDependencies })) {
      const places = [`node_modules/${name}`, `${where}/node_modules/${name}`];
      const nested = Object.keys(packages).some((key) => key.endsWith(`/node_modules/${name}`));
      if (!nested && !places.some((place) => place in packages)) missing.push(`${where} -> ${name}`);
    }
  }
  assert.equal(missing, []);
});

lock('the lock is of this package.json, and every direct dependency is pinned', () => {
  assert.equal(packages['']?.dependencies, manifest.dependencies);
  assert.equal(packages['']?.devDependencies, manifest.devDependencies);
  for (const [name, version] of Object.entries({ ...manifest.dependencies, ...manifest.devDependencies })) {
    assert.match(version, /^\d+\.\d+\.\d+$/, name);
  }
});

lock('the browser runtime of the detector package is not dragged along', () => {
  const found = packages['node_modules/onnxruntime-web'];
  assert.is((found as { name?: string }).name, 'onnxruntime-common');
});

lock.run();
