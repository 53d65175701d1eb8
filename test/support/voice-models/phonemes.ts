import { open, readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

const FOLDER = '/usr/share/espeak-ng-data/';
const ENGINE = createRequire(import.meta.url).resolve('@echogarden/espeak-ng-emscripten');
const PLACE = /\{filename:"([^"]+)",start:(\d+),end:(\d+)\}/g;

/**
 * The folder `espeak-ng-data` that models bring for the sounds of words, with some languages. It is cut out of the data
 * of the installed eSpeak NG, because this repository must not contain any part of it.
 * @param languages paths of languages, for example `roa/es`
 */
export async function espeakData(
  languages: readonly string[],
): Promise<Readonly<Record<string, Uint8Array>>> {
  const program = await readFile(join(dirname(ENGINE), 'espeak-ng.js'), 'utf8');
  const wanted = new Set([
    ...['phontab', 'phonindex', 'phondata', 'intonations'],
    ...languages.flatMap((path) => [
      `lang/${path}`,
      `${(path.split('/').at(-1) ?? '').split('-')[0] ?? ''}_dict`,
    ]),
  ]);
  const data = await open(join(dirname(ENGINE), 'espeak-ng.data'));
  try {
    const files: Record<string, Uint8Array> = {};
    for (const [, path = '', start, end] of program.matchAll(PLACE)) {
      const name = path.replace(FOLDER, '');
      if (!wanted.has(name)) continue;
      const bytes = Buffer.alloc(Number(end) - Number(start));
      await data.read(bytes, 0, bytes.length, Number(start));
      files[`espeak-ng-data/${name}`] = bytes;
    }
    return files;
  } finally {
    await data.close();
  }
}
