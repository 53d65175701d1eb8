import { readFile } from 'node:fs/promises';
import { expect, test } from '@jest/globals';

interface Locked {
  readonly version?: string;
  readonly integrity?: string;
  readonly resolved?: string;
  readonly license?: string;
  readonly link?: boolean;
  readonly dev?: boolean;
  readonly devOptional?: boolean;
  readonly hasInstallScript?: boolean;
}
interface Manifest {
  readonly allowScripts: Readonly<Record<string, boolean>>;
  readonly [group: string]: unknown;
}

const read = async (path: string): Promise<unknown> => JSON.parse(await readFile(path, 'utf8'));
const { lockfileVersion, packages } = (await read('package-lock.json')) as {
  lockfileVersion: number;
  packages: Readonly<Record<string, Locked>>;
};
const manifest = (await read('package.json')) as Manifest;

const nameOf = (path: string): string => path.split('node_modules/').at(-1) ?? '';
const LOCKED = Object.entries(packages).filter(([path]) => path !== '');
const namesWhere = (isSo: (locked: Locked, path: string) => boolean): string[] => [
  ...new Set(LOCKED.filter(([path, locked]) => isSo(locked, path)).map(([path]) => nameOf(path))),
];

const VERSION = /^\d+\.\d+\.\d+(?:[-+][\w.+-]+)?$/;
/** One SHA-512 in base64. */
const INTEGRITY = /^sha512-[\w+/]{86}==$/;

test('every package in the lock file has one version and the hash of its contents', () => {
  expect(lockfileVersion).toBe(3);
  expect(LOCKED.length).toBeGreaterThan(500);
  expect(namesWhere(({ version = '' }) => !VERSION.test(version))).toEqual([]);
  expect(namesWhere(({ integrity = '' }) => !INTEGRITY.test(integrity))).toEqual([]);
});

test('no package comes from anywhere but the registry that npm is set to', () => {
  // An address would win over that registry; a link or a file is no package that was published.
  expect(namesWhere(({ resolved, link }) => resolved !== undefined || link === true)).toEqual([]);
  expect(LOCKED.filter(([path]) => !path.startsWith('node_modules/'))).toEqual([]);
  const groups = ['dependencies', 'devDependencies', 'optionalDependencies', 'overrides'];
  const asked = groups.flatMap((group) => Object.entries(manifest[group] ?? {}));
  expect(
    asked.filter(([, range]) => !/^\^?\d+\.\d+\.\d+(?:-[\w.-]+)?$/.test(String(range))),
  ).toEqual([]);
});

/** Packages that work without the script that they bring, which is therefore not run. */
const SCRIPTS_NOT_RUN = [
  // Prints a warning.
  '@apollo/protobufjs',
  // Builds from source where no package for the platform exists.
  '@parcel/watcher',
  // Downloads what `PRISMA_SCHEMA_ENGINE_BINARY` and the engine in WebAssembly replace.
  '@prisma/engines',
  // Checks that its package for the platform is there.
  '@swc/core',
  // Checks the version of Node.
  'prisma',
  // Checks that its package for the platform is there.
  'unrs-resolver',
];

test('package.json decides for each package with an install script whether that is run', () => {
  // npm warns of each one that is not decided, and npm 12 runs none of them.
  const scripted = namesWhere(({ hasInstallScript }) => hasInstallScript === true);
  expect(Object.keys(manifest.allowScripts).sort()).toEqual(scripted.sort());
  const denied = scripted.filter((name) => manifest.allowScripts[name] !== true);
  expect(denied).toEqual([...SCRIPTS_NOT_RUN].sort());
});

/** What may be used for building and testing, of which nothing is shipped. */
const DEVELOPMENT_LICENCES = new Set([
  ...['MIT', 'MIT-0', 'ISC', '0BSD', 'BSD-2-Clause', 'BSD-3-Clause', 'Apache-2.0', 'BlueOak-1.0.0'],
  ...['Apache-2.0 AND MIT', 'MIT and ISC', '(MIT OR CC0-1.0)', '(MIT OR Apache-2.0)'],
  ...['(MIT AND Zlib)', 'Unlicense', 'Python-2.0', 'PSF-2.0'],
  // Licences of data, and of files that are used unchanged.
  ...['CC-BY-4.0', 'MPL-2.0', 'EPL-2.0'],
  // Licences of fonts, which the web app ships with their texts.
  'OFL-1.1',
]);
/** Licensed under MIT by their licence file or README, and not by their manifest. */
const LICENCE_NOT_NAMED = [
  '@inlang/plugin-message-format',
  'busboy',
  'dicer',
  'humanize-number',
  'only',
  'seq-queue',
  'sqlite-wasm-kysely',
  'streamsearch',
];

test('every package for development has a licence on the list', () => {
  const odd = namesWhere(
    ({ dev, devOptional, license = '' }) =>
      (dev === true || devOptional === true) && !DEVELOPMENT_LICENCES.has(license),
  );
  expect(odd.sort()).toEqual(LICENCE_NOT_NAMED);
});
