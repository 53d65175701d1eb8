import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { codeOf } from '../../../domain/errors.js';
import { canonicalTag, sha256Hex } from '../../../domain/text.js';
import { checksumOfModel, filesOfModel } from './checksum.js';
import { recogniseModel, UnusableModel, type ModelParts } from './kinds.js';
import { NoModelError, readModelMetadata, readStyleCount } from './metadata.js';
import { languagesOfModel, nameOfModel } from './naming.js';
import { speakersOf, type ModelSpeaker } from './speakers.js';

/** A folder with a model that can be offered. */
export interface Model {
  /** The name of its folder. It begins the ids of its voices. */
  readonly folder: string;
  readonly path: string;
  readonly name: string;
  readonly parts: ModelParts;
  /** Files with rules for numbers and dates. */
  readonly rules: readonly string[];
  readonly speakers: readonly ModelSpeaker[];
  /** The checksum of the contents of all its files. */
  readonly checksum: string;
  readonly sizeBytes: number;
}

export interface Catalog {
  readonly models: readonly Model[];
  /** Folders that are not offered, and why. */
  readonly refused: readonly { readonly folder: string; readonly why: string }[];
}

/** What an operator has stated about a model with `npm run voices -- add --language`. */
export const STATED = 'talebank.json';
const statedSchema = z.looseObject({
  languages: z
    .array(z.string().refine((tag) => canonicalTag(tag) === tag))
    .min(1)
    .max(40),
});

const FOLDER_NAME = /^[A-Za-z0-9][\w.+-]{0,99}$/;

/** Whether this is a valid name of a model's folder. The name is part of public ids. */
export const isModelName = (name: string): boolean => FOLDER_NAME.test(name);

/** Reads all models in a folder. A folder that does not exist has none. Hidden entries and files are left out. */
export async function readCatalog(folder: string): Promise<Catalog> {
  const entries = await readdir(folder, { withFileTypes: true }).catch((error: unknown) => {
    if (codeOf(error) === 'ENOENT') return [];
    throw error;
  });
  const models: Model[] = [];
  const refused: { folder: string; why: string }[] = [];
  for (const entry of entries.sort((one, other) => (one.name < other.name ? -1 : 1))) {
    if (entry.name.startsWith('.') || entry.isFile()) continue;
    try {
      models.push(await readModel(folder, entry.name));
    } catch (error) {
      refused.push({ folder: entry.name, why: whyOf(error) });
    }
  }
  return { models, refused };
}

function whyOf(error: unknown): string {
  if (error instanceof UnusableModel) return error.message;
  const code = codeOf(error);
  if (code !== undefined) return `it cannot be read (${code})`;
  throw error;
}

/** @throws UnusableModel, or an error of the file system */
export async function readModel(voices: string, folder: string): Promise<Model> {
  if (!isModelName(folder))
    throw new UnusableModel('the name of the folder has characters other than A-Z a-z 0-9 . _ + -');
  const path = join(voices, folder);
  const files = await filesOfModel(path);
  const names = new Set(files.map((file) => file.path).filter((name) => !name.includes('/')));
  const folders = new Set(files.flatMap((file) => file.path.split('/').slice(0, -1)));
  const parts = await recogniseModel({ names, folders }, async (file) =>
    ((await metadataOf(path, file)).get('model_type') ?? '').toLowerCase(),
  );
  const metadata = await metadataOf(path, parts.main);
  const piper = await readPiper(path, `${parts.main}.json`);
  const languages =
    (await readStated(path)) ??
    languagesOfModel({ folder, metadata, piper: piper?.language?.code ?? null });
  const name = nameOfModel(folder);
  const recordings = files.map((file) => file.path).filter((file) => file.endsWith('.wav'));
  const speakers = speakersOf({
    folder,
    name,
    kind: parts.kind,
    metadata,
    speakers: await speakersStated(path, parts, metadata),
    languages,
    recordings,
    namesByNumber: new Map(
      Object.entries(piper?.speaker_id_map ?? {}).map(([id, number]) => [number, id]),
    ),
  });
  const rules = inOrder([...names].filter((file) => file.endsWith('.fst')));
  const checksum = await checksumOfModel(path, files);
  const sizeBytes = files.reduce((sum, file) => sum + file.sizeBytes, 0);
  return { folder, path, name, parts, rules, speakers, checksum, sizeBytes };
}

/** What is told apart first: without this order, the rules for numbers would read the digits of a telephone number. */
const RULES = ['phone', 'date', 'number'];

function inOrder(rules: readonly string[]): string[] {
  const place = (name: string): number => {
    const at = RULES.findIndex((stem) => name.startsWith(stem));
    return at === -1 ? RULES.length : at;
  };
  return rules.toSorted().sort((one, other) => place(one) - place(other));
}

/** How many voices the files state. */
async function speakersStated(
  path: string,
  { kind, parts }: ModelParts,
  metadata: ReadonlyMap<string, string>,
): Promise<number> {
  const { voiceStyle } = parts;
  if (kind !== 'supertonic' || voiceStyle === undefined)
    return Number(metadata.get('n_speakers') ?? '1');
  return readable(voiceStyle, readStyleCount(join(path, voiceStyle)));
}

const metadataOf = (path: string, file: string): Promise<ReadonlyMap<string, string>> =>
  readable(file, readModelMetadata(join(path, file)));

/** @throws UnusableModel when the file is not what its name says */
async function readable<Read>(file: string, reading: Promise<Read>): Promise<Read> {
  try {
    return await reading;
  } catch (error) {
    if (!(error instanceof NoModelError)) throw error;
    throw new UnusableModel(`${file} cannot be used: ${error.message}`);
  }
}

const piperSchema = z.looseObject({
  language: z.looseObject({ code: z.string().optional() }).optional(),
  speaker_id_map: z.record(z.string().max(200), z.number()).optional(),
});

/** The JSON file that comes with a model of Piper. Null when it is missing or malformed. */
async function readPiper(path: string, file: string): Promise<z.infer<typeof piperSchema> | null> {
  return piperSchema.safeParse(await readJson(join(path, file))).data ?? null;
}

async function readStated(path: string): Promise<readonly string[] | null> {
  const stated = await readJson(join(path, STATED));
  if (stated === null) return null;
  const read = statedSchema.safeParse(stated);
  if (!read.success) throw new UnusableModel(`${STATED} has no list of languages`);
  return read.data.languages;
}

async function readJson(path: string): Promise<unknown> {
  try {
    return JSON.parse(await readFile(path, 'utf8'));
  } catch {
    return null;
  }
}

/** Everything about a voice that determines its sound, besides the engine. */
export const definitionOf = ({ parts, rules, checksum }: Model, speaker: ModelSpeaker): string =>
  sha256Hex(
    JSON.stringify([
      parts,
      rules,
      checksum,
      speaker.number,
      speaker.extra,
      speaker.parts,
      speaker.reference,
    ]),
  );
