/**
 * Holds a configuration to its schema. Compiling the schema takes 0.2 s of every start, so `npm run build` does it once
 * (compile.ts) and this file takes what it wrote; where that is missing, or of another schema, it compiles.
 */
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import type { Ajv, ValidateFunction } from 'ajv';
import { schema, schemaText } from './schema.ts';

const require = createRequire(import.meta.url);
const schemaHash = createHash('sha256').update(schemaText).digest('hex').slice(0, 16);

/** Named by the schema it was made from: one that is out of date is not found. */
export const compiledPath = path.join(import.meta.dirname, `validate-${schemaHash}.cjs`);

/** The compiler of schemas, as validator and build both need it. */
export function schemaCompiler(): Ajv {
  const { Ajv } = require('ajv') as typeof import('ajv');
  const ajv = new Ajv({ ...{ allErrors: true, useDefaults: true, verbose: true }, code: { source: true } });
  ajv.addVocabulary(['x-expected', 'x-default']);
  return ajv;
}

/** Fills in defaults, and answers whether all is as the schema says; what is not lies in `validate.errors`. */
export const validate: ValidateFunction = existsSync(compiledPath)
  ? (require(compiledPath) as ValidateFunction)
  : schemaCompiler().compile(schema);
