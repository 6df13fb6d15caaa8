/**
 * What a hub says a repository holds, checked before any of it is used as a size, a hash or a path.
 * GET {endpoint}/api/models/{repository}/revision/{revision}?blobs=true answers `sha` (the commit) and `siblings`, each
 * with `rfilename`, `size`, `blobId` (git's SHA-1 of a blob) and, for large files, `lfs.sha256`.
 * Source: huggingface_hub, hf_api.py (`RepoSibling`, `BlobLfsInfo`).
 */
import { Fault } from '../../daemon/faults.ts';

/** How a file is known: by its SHA-256 where it is in LFS, else by git's name for its content. */
export type FileHash = { readonly kind: 'sha256' | 'git-sha1'; readonly hex: string };

export type HubFile = { readonly path: string; readonly sizeBytes: number; readonly hash: FileHash };

export type HubListing = {
  /** 40 hexadecimal digits; everything is fetched at this commit. */
  readonly commit: string;
  /** As the repository's card says. */
  readonly licence: string | undefined;
  readonly files: readonly HubFile[];
};

/** A Whisper repository has some twenty files; the largest repositories that are one model have hundreds. */
const maxFiles = 10_000;
/** The largest published Whisper takes 6.2 GB in float32. */
const maxFileBytes = 1e12;

/** Weights in one file, or the list of their shards. */
export const weightsFile = 'model.safetensors';
export const weightsIndex = 'model.safetensors.index.json';
const required = ['config.json', 'tokenizer.json'];
const optional = ['generation_config.json', 'tokenizer_config.json', 'preprocessor_config.json'];
const maxShards = 100;

type Json = Readonly<Record<string, unknown>>;

function nonsense(message: string): Fault {
  return new Fault(
    'HUB_ANSWER_INVALID',
    `the hub's list of files ${message}`,
    'nothing was installed; check HF_ENDPOINT, or report the repository to the hub',
  );
}

function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isHex(value: unknown, digits: number): value is string {
  return typeof value === 'string' && value.length === digits && /^[0-9a-f]+$/.test(value);
}

function isSize(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0 && (value as number) <= maxFileBytes;
}

/** Relative, inside, and plain: what could climb out of a folder or hide in a terminal is no path of a repository. */
function isPlainPath(path: string): boolean {
  return (
    path.length <= 1000 &&
    // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
    !/[\\\u0000-\u001f\u007f]/.test(path) &&
    path.split('/').every((part) => part !== '' && part !== '.' && part !== '..')
  );
}

function shown(value: unknown): string {
  return (JSON.stringify(value) ?? 'nothing').slice(0, 80);
}

function readSibling(value: unknown): HubFile {
  if (!isObject(value)) throw nonsense(`has ${shown(value)} for a file`);
  const { rfilename: path, size, blobId, lfs } = value;
  if (typeof path !== 'string' || !isPlainPath(path)) throw nonsense(`names ${shown(path)}`);
  if (!isSize(size)) throw nonsense(`says ${path} has ${shown(size)} bytes`);
  if (lfs === undefined || lfs === null) {
    if (!isHex(blobId, 40)) throw nonsense(`has no hash of ${path}: ${shown(blobId)}`);
    return { path, sizeBytes: size, hash: { kind: 'git-sha1', hex: blobId } };
  }
  const sha256 = isObject(lfs) ? (lfs['sha256'] ?? lfs['oid']) : undefined;
  if (!isHex(sha256, 64)) throw nonsense(`has no sha256 of ${path}: ${shown(sha256)}`);
  const lfsSize = (lfs as Json)['size'];
  if (lfsSize !== undefined && lfsSize !== size) {
    throw nonsense(`says ${path} has ${size} bytes, and that it has ${shown(lfsSize)}`);
  }
  return { path, sizeBytes: size, hash: { kind: 'sha256', hex: sha256 } };
}

/** Reads the hub's answer. Throws HUB_ANSWER_INVALID for anything a hub would not say. */
export function readListing(text: string): HubListing {
  let answer: unknown;
  try {
    answer = JSON.parse(text);
  } catch {
    throw nonsense('is not JSON');
  }
  if (!isObject(answer)) throw nonsense('is not an object');
  const { sha: commit, siblings, cardData } = answer;
  if (!isHex(commit, 40)) throw nonsense(`is of commit ${shown(commit)}, expected 40 hexadecimal digits`);
  if (!Array.isArray(siblings)) throw nonsense('has no siblings');
  if (siblings.length > maxFiles)
    throw nonsense(`has ${siblings.length} entries, expected ${maxFiles} at most`);
  const files = siblings.map(readSibling);
  const paths = new Set(files.map(({ path }) => path));
  if (paths.size !== files.length) throw nonsense('names a file twice');
  const licence = isObject(cardData) ? cardData['license'] : undefined;
  return {
    commit,
    licence: typeof licence === 'string' && /^[\w.+-]{1,64}$/.test(licence) ? licence : undefined,
    files,
  };
}

export type Needed = {
  /** Small files, and the index of the shards if there is one: first, because they say whether the rest is wanted. */
  readonly small: readonly HubFile[];
  /** The weights; undefined: read the index to know the shards. */
  readonly weights: readonly HubFile[] | undefined;
};

/** What of the repository harkd uses. Throws MODEL_UNSUPPORTED where something it cannot do without is missing. */
export function chooseFiles(repository: string, listing: HubListing): Needed {
  const byPath = new Map(listing.files.map((file) => [file.path, file]));
  const lacks = (what: string, hint: string): Fault =>
    new Fault('MODEL_UNSUPPORTED', `${repository} has no ${what}`, hint);
  const small = required.map((path) => {
    const file = byPath.get(path);
    if (file !== undefined) return file;
    throw lacks(
      path,
      path === 'tokenizer.json'
        ? 'save it as a fast tokenizer with transformers, then add the folder'
        : 'harkd takes Whisper models in Hugging Face layout (WhisperForConditionalGeneration)',
    );
  });
  for (const path of optional) {
    const file = byPath.get(path);
    if (file !== undefined) small.push(file);
  }
  const weights = byPath.get(weightsFile);
  if (weights !== undefined) return { small, weights: [weights] };
  const index = byPath.get(weightsIndex);
  if (index === undefined) {
    throw lacks(
      weightsFile,
      byPath.has('pytorch_model.bin')
        ? 'it has its weights as a pickle only, which may run programs: convert it to safetensors, then add the folder'
        : 'harkd takes weights as safetensors',
    );
  }
  return { small: [...small, index], weights: undefined };
}

/** The shards an index names, each of them in the listing. Throws MODEL_INVALID. */
export function chooseShards(indexText: string, listing: HubListing): readonly HubFile[] {
  const invalid = (message: string): Fault =>
    new Fault('MODEL_INVALID', `${weightsIndex} ${message}`, 'tell those who published the model');
  let map: unknown;
  try {
    map = (JSON.parse(indexText) as Json | null)?.['weight_map'];
  } catch {
    throw invalid('is not JSON');
  }
  if (!isObject(map)) throw invalid('has no weight_map');
  const names = [...new Set(Object.values(map))];
  if (names.length === 0 || names.length > maxShards) {
    throw invalid(`names ${names.length} files, expected 1 to ${maxShards}`);
  }
  return names.map((name) => {
    if (typeof name !== 'string' || !/^[\w-][\w.-]*\.safetensors$/.test(name)) {
      throw invalid(`names ${shown(name)}, expected a safetensors file beside it`);
    }
    const file = listing.files.find(({ path }) => path === name);
    if (file === undefined) throw invalid(`names ${name}, which the repository does not have`);
    return file;
  });
}
