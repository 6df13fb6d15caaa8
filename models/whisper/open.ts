/**
 * From a compiled model in its directory to a Whisper that listens, on one machine.
 */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { Fault } from '../../daemon/faults.ts';
import type { Provider } from '../../providers/provider.ts';
import type { OpenedModel } from '../compiler/compiled.ts';
import { readCard } from '../manifest.ts';
import { keptHeads } from './alignment.ts';
import type { DecodingDefaults } from './belief.ts';
import type { GenerationConfig } from './languages.ts';
import { readTokenTable, textOf, tokenTableFile } from './token-table.ts';
import { readTokenizer, type Tokenizer } from './tokenizer.ts';
import { openWhisper, type Whisper } from './whisper.ts';

export type ModelOptions = {
  /** As `openCompiled`, `compile` or `findOrCompile` answer it: every file as it was written. */
  readonly compiled: OpenedModel;
  readonly provider: Provider;
  readonly threads?: number;
  /** Goes before what the model's card says of decoding, and that before Whisper's own defaults. */
  readonly defaults?: Partial<DecodingDefaults>;
};

/**
 * Opens both graphs and the tokenizer. The caller closes the Whisper.
 * Throws Fault MODEL_INVALID or MODEL_UNSUPPORTED if the files do not make a Whisper, and what the provider throws.
 */
export async function openModel(options: ModelOptions): Promise<Whisper> {
  const { compiled, provider, threads = 1 } = options;
  const { shape } = compiled;
  const defaults = { ...readCard(compiled.dir)?.decoding, ...options.defaults };
  // cheap and likely to find fault: before any graph is loaded
  const tokenizer = openTokenizer(compiled);
  const generation = readGeneration(compiled);
  const encoder = await provider.open(compiled.encoderPath, { threads });
  try {
    const decoder = await provider.open(compiled.decoderPath, { threads });
    try {
      return openWhisper({ shape, generation, tokenizer, encoder, decoder, defaults });
    } catch (thrown) {
      await decoder.close();
      throw thrown;
    }
  } catch (thrown) {
    await encoder.close();
    throw thrown;
  }
}

/** To write text nobody needs the rules to read it: of 51 864 tokens they are 0.1 s and 15 MB on the heap. */
function openTokenizer({ dir, shape }: OpenedModel): Tokenizer {
  const table = readTokenTable(readBytes(dir, tokenTableFile));
  if (table.ends.length > shape.vocabularySize) {
    throw new Fault(
      'MODEL_INVALID',
      `tokens.bin has ${table.ends.length} tokens, the graphs ${shape.vocabularySize}`,
      'delete the compiled model and compile it again: harkd models compile',
    );
  }
  let whole: Tokenizer | undefined;
  return {
    special: table.special,
    decode: textOf(table),
    encode: (text) => {
      whole ??= readTokenizer(readText(dir, 'tokenizer.json'), shape.vocabularySize);
      return whole.encode(text);
    },
  };
}

const readText = (dir: string, file: string): string => readBytes(dir, file).toString();

function readBytes(dir: string, file: string): Buffer {
  try {
    return readFileSync(path.join(dir, file));
  } catch (cause) {
    const hint = 'delete the compiled model and compile it again: harkd models compile';
    throw new Fault('MODEL_MISSING', `cannot read ${path.join(dir, file)}`, hint, { cause });
  }
}

/** Models of 2022 came without generation_config.json; what it would say follows from the vocabulary then. */
function readGeneration({ dir, files, options }: OpenedModel): GenerationConfig {
  const file = 'generation_config.json';
  if (!Object.hasOwn(files, file)) return {};
  try {
    const { alignment_heads, ...rest } = JSON.parse(readText(dir, file)) as GenerationConfig;
    const heads = keptHeads(alignment_heads, options.keepDecoderLayers);
    return heads === undefined ? rest : { ...rest, alignment_heads: heads };
  } catch (cause) {
    if (cause instanceof Fault) throw cause;
    throw new Fault('MODEL_INVALID', `${file} is not JSON`, 'delete the model and add it again', { cause });
  }
}
