/** A step of `npm run build`: compiles the schema of the configuration, so that no start has to. */
import { readdirSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { schema } from './schema.ts';
import { compiledPath, schemaCompiler } from './validate.ts';

const require = createRequire(import.meta.url);
const { default: standaloneCode } =
  require('ajv/dist/standalone/index.js') as typeof import('ajv/dist/standalone/index.js');

const folder = path.dirname(compiledPath);
for (const name of readdirSync(folder)) {
  if (/^validate-[0-9a-f]+\.cjs$/.test(name)) rmSync(path.join(folder, name));
}
const ajv = schemaCompiler();
writeFileSync(compiledPath, standaloneCode(ajv, ajv.compile(schema)));
