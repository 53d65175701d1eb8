import { readdir, readFile } from 'node:fs/promises';
import { posix } from 'node:path';
import { expect, test } from '@jest/globals';
import { degreesOf, expressionsOf } from '../support/regular-expressions.js';

/** The body of a request is refused when it is longer. */
const BODY = 1024 * 1024;
/** All headers of a request or an answer together, as Node and undici have it. */
const HEADERS = 16 * 1024;

/**
 * Each file with regular expressions: what text they run on, and the most characters that it can have. `ours` is text
 * that no request can lengthen: the environment, our own files, rows and messages.
 */
const TEXT: Readonly<Record<string, readonly [text: string, charactersMax: number | 'ours']>> = {
  'src/cli/doctor.ts': ['options of the command', 'ours'],
  'src/cli/doctor/machine.ts': [
    'the version of Node, and the start of an answer of /readyz',
    1_000,
  ],
  'src/cli/doctor/secrets.ts': ['names and values of variables, and lines of the doctor', 'ours'],
  'src/cli/voices.ts': ['options of the command', 'ours'],
  'src/domain/captions.ts': ['a sentence of a story', 400],
  'src/domain/ids.ts': ['32 hexadecimal digits of a hash', 'ours'],
  'src/domain/inboxes.ts': ['an e-mail address of at most 1,000 characters', 1_000],
  'src/domain/ledger/idempotency.ts': ['an idempotency key as it was sent', BODY],
  'src/domain/networks.ts': ['what a proxy calls an address', 100],
  'src/domain/segmentation/announcement.ts': ['a title, or the beginning of a story', 1_000],
  'src/domain/segmentation/blocks.ts': ['a story: 200,000 code points', 400_000],
  'src/domain/segmentation/cues.ts': ['a sentence of a story', 400],
  'src/domain/segmentation/cut.ts': ['the most of a sentence that is spoken at once', 400],
  'src/domain/segmentation/ends.ts': ['a paragraph: 200,000 code points', 400_000],
  'src/domain/segmentation/full-stops.ts': ['what is around a full stop', 48],
  'src/domain/segmentation/marks.ts': ['one character', 'ours'],
  'src/domain/sentences.ts': ['a paragraph: 200,000 code points', 400_000],
  'src/domain/speakable.ts': ['a sentence; 200,000 code points for those who split none', 400_000],
  'src/domain/spoken/abbreviations.ts': [
    'a sentence; 200,000 code points for those who split none',
    400_000,
  ],
  'src/domain/spoken/addresses.ts': [
    'a sentence; 200,000 code points for those who split none',
    400_000,
  ],
  'src/domain/spoken/capitals.ts': [
    'a sentence; 200,000 code points for those who split none',
    400_000,
  ],
  'src/domain/spoken/characters.ts': [
    'a sentence; 200,000 code points for those who split none',
    400_000,
  ],
  'src/domain/spoken/dates.ts': [
    'a sentence; 200,000 code points for those who split none',
    400_000,
  ],
  'src/domain/spoken/languages/de-abbreviations.ts': ['a word of a sentence', 400],
  'src/domain/spoken/languages/de.ts': ['a word of a sentence, or the words for a number', 400],
  'src/domain/spoken/languages/en-roman.ts': ['a word of a sentence', 400],
  'src/domain/spoken/languages/en.ts': ['a word of a sentence, or the words for a number', 400],
  'src/domain/spoken/languages/es.ts': ['a word of a sentence, or the words for a number', 400],
  'src/domain/spoken/languages/fr.ts': ['a word of a sentence, or the words for a number', 400],
  'src/domain/spoken/languages/pl-abbreviations.ts': ['a word of a sentence', 400],
  'src/domain/spoken/languages/pl-ordinals.ts': [
    'a word of a sentence, or the words for a number',
    400,
  ],
  'src/domain/spoken/languages/pl.ts': ['a word of a sentence, or the words for a number', 400],
  'src/domain/spoken/languages/shared.ts': ['a word of a sentence, or the words for a number', 400],
  'src/domain/spoken/markup.ts': [
    'a sentence; 200,000 code points for those who split none',
    400_000,
  ],
  'src/domain/spoken/numbers.ts': [
    'a sentence; 200,000 code points for those who split none',
    400_000,
  ],
  'src/domain/spoken/roman.ts': [
    'a sentence; 200,000 code points for those who split none',
    400_000,
  ],
  'src/domain/spoken/scripts.ts': ['one character', 2],
  'src/domain/spoken/spoken.ts': [
    'a sentence; 200,000 code points for those who split none',
    400_000,
  ],
  'src/domain/spoken/words.ts': ['at most 40 characters of a sentence', 40],
  'src/domain/text.ts': ['title, author and description of a story, decomposed', 30_000],
  'src/domain/timing/alignment.ts': ['a sentence in words', 2_000],
  'src/domain/timing/chapters.ts': ['a heading, which may be a whole paragraph', 400_000],
  'src/domain/timing/words.ts': ['a written word', 400],
  'src/http/downloads/exports.ts': ['Accept-Encoding', HEADERS],
  'src/http/downloads/samples.ts': ['a path, a query string, If-None-Match', HEADERS],
  'src/http/files.ts': ['a path, a query string, If-None-Match', HEADERS],
  'src/http/graphql/apollo-plugins.ts': ['the Accept header', HEADERS],
  'src/http/graphql/documents.ts': ['a document', BODY],
  'src/http/mailbox.ts': ['a mail, in development', 'ours'],
  'src/http/requests.ts': ['an address, Authorization, Host', HEADERS],
  'src/http/streams.ts': ['a path', HEADERS],
  'src/http/web/navigation.ts': ['a path, the Accept header', HEADERS],
  'src/http/web/web-app.ts': ['the path of a file of the web app', 'ours'],
  'src/infra/backup/manifest.ts': ['a checksum or a type in the manifest of a backup', 1_000],
  'src/infra/backup/recordings.ts': ['the name of a file in a backup', 1_000],
  'src/infra/connections/address.ts': ['DATABASE_URL', 'ours'],
  'src/infra/connections/database-errors.ts': ['an error of the database', 'ours'],
  'src/infra/connections/reach.ts': ['the code and the message of a refused connection', 'ours'],
  'src/infra/connections/sql-states.ts': ['five characters', 'ours'],
  'src/infra/db.ts': ['a statement; an error of the database', 'ours'],
  'src/infra/log-text.ts': ['an event of the log, with what was sent in it', 4 * BODY],
  'src/infra/logging/redact-text.ts': ['8,000 characters of an event of the log', 8_000],
  'src/infra/logging/redact.ts': ['a key; the message of an error', 4 * BODY],
  'src/infra/migrations/engine.ts': ['the address of a module; a statement; a migration', 'ours'],
  'src/infra/speech/http/answers.ts': ['512 bytes of an answer; its Content-Type', HEADERS],
  'src/infra/speech/http/elevenlabs-voices.ts': ['an id or a name of a voice', 1_000],
  'src/infra/speech/http/elevenlabs.ts': ['16 bytes of an answer; a character', 4 * BODY],
  'src/infra/speech/http/http-speech.ts': ['4 KB of an answer; its Content-Type', HEADERS],
  'src/infra/speech/http/openai-voices.ts': ['the ids and names of a list of voices', 4 * BODY],
  'src/infra/speech/http/wav.ts': ['four bytes of an answer', 'ours'],
  'src/infra/speech/rate-gate.ts': ['the Retry-After header of an answer', HEADERS],
  'src/infra/speech/sherpa/catalog.ts': ['the name of a folder', 'ours'],
  'src/infra/speech/sherpa/kinds.ts': ['names of files of a model', 'ours'],
  'src/infra/speech/sherpa/naming.ts': ['the name of a folder; metadata of a model', BODY],
  'src/infra/speech/sherpa/speakers.ts': ['the path of a file of a model', 1_000],
  'src/infra/speech/sherpa/store/archive.ts': ['a path in an archive', 4 * BODY],
  'src/infra/speech/sherpa/store/install.ts': ['options of the command', 'ours'],
  'src/infra/storage/local.ts': ['the name of a file', 'ours'],
  'src/infra/storage/private-files.ts': ['the path of a folder', 'ours'],
  'src/infra/storage/storage.ts': ['a key of the storage', 'ours'],
  'src/infra/tracing/error-kind.ts': ['60 characters of a name of an error', 'ours'],
  'src/infra/tracing/statements.ts': ['4,000 characters of a statement', 'ours'],
  'src/infra/tracing/traceparent.ts': ['the start of the traceparent header', 100],
  'src/installation.ts': ['the path of a folder', 'ours'],
  'src/resolvers/format-error.ts': ['the start of a message of GraphQL', 400],
  'src/resolvers/scalars.ts': ['an instant as it was sent', BODY],
  'src/services/anchors/statement.ts': [
    'a statement that was signed, as an operator has it',
    'ours',
  ],
  'src/services/narrations/file-names.ts': ['a title of 200 code points', 10_000],
  'src/services/seed.ts': ['a tale of the library', 'ours'],
  'src/services/stories/cover-origins.ts': ['the origin of a cover', 2_000],
  'src/services/stories/story-input.ts': ['a slug or a colour as it was sent; a story', BODY],
  'src/services/validation.ts': ['text of a bounded number of code points', 1_200_000],
  'src/services/web-address.ts': ['an address as it was sent', 2_000],
  'src/variables.ts': ['the environment', 'ours'],
  'src/variables/buckets.ts': ['the environment', 'ours'],
  'src/variables/explanation.ts': ['the name of a variable', 'ours'],
  'src/variables/speech.ts': ['the environment', 'ours'],
  'src/variables/tracing.ts': ['the environment', 'ours'],
  'src/variables/value-types.ts': ['the environment', 'ours'],
};

/**
 * Expressions that are put together with `RegExp`, of constants: `domain/long-text` runs them on texts that would hold
 * up a slow one. How many there are in each file.
 */
const MEASURED: Readonly<Record<string, number>> = { 'src/domain/speakable.ts': 2 };

const PATHS = (await readdir('src', { recursive: true }))
  .map((path) => posix.join('src', path))
  .filter((path) => path.endsWith('.ts') && !path.startsWith('src/generated/'))
  .sort();
const FILES = await Promise.all(
  PATHS.map(async (path) => ({ path, ...expressionsOf(path, await readFile(path, 'utf8')) })),
);

test('it is written down for each file with regular expressions what text they run on', () => {
  const expressive = FILES.filter(({ literal, made }) => literal.length + made > 0);
  expect(Object.keys(TEXT)).toEqual(expressive.map(({ path }) => path));
});

test('the time of each regular expression grows no faster than the text', async () => {
  // None may be made of what is not known before.
  const made = FILES.filter((file) => file.made > 0).map((file) => [file.path, file.made]);
  expect(Object.fromEntries(made)).toEqual(MEASURED);
  const expressions = FILES.flatMap(({ literal }) => literal);
  expect(expressions.length).toBeGreaterThan(80);
  const degrees = await degreesOf(expressions);
  const slow = expressions
    .filter((_expression, at) => degrees[at] !== 1)
    .map(({ path, source, flags }) => `${path} /${source}/${flags}`);
  expect(slow).toEqual([]);
});

test('an expression that text can hold up is found', async () => {
  const planted = 'export const planted = [/(\\w+\\s?)*$/, /\\/+$/, /^-+|-+$/g];';
  expect(await degreesOf(expressionsOf('planted.ts', planted).literal)).toEqual([null, 2, 2]);
});
