import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join, sep } from 'node:path';
import { build, type Plugin } from 'vite';

interface Precached {
  readonly url: string;
  /** Null for files whose name has a hash already. */
  readonly revision: string | null;
}

/** Faces that are loaded only when a reader chooses them. */
const ON_CHOICE = /opendyslexic|atkinson|-ext-/;

/** Builds sw.js after the app, with the list of the files that the app consists of. */
export function serviceWorker(): Plugin {
  let root = '';
  let folder = '';
  return {
    name: 'talebank:service-worker',
    apply: 'build',
    configResolved(config) {
      root = config.root;
      folder = join(config.root, config.build.outDir);
    },
    closeBundle: {
      sequential: true,
      order: 'post',
      async handler() {
        await build({
          configFile: false,
          root,
          publicDir: false,
          logLevel: 'error',
          define: {
            PRECACHED: JSON.stringify(await listFiles(folder)),
            'process.env.NODE_ENV': '"production"',
          },
          build: {
            outDir: folder,
            emptyOutDir: false,
            target: 'es2022',
            reportCompressedSize: false,
            lib: {
              entry: join(root, 'sw/sw.ts'),
              formats: ['iife'],
              name: 'sw',
              fileName: () => 'sw.js',
            },
          },
        });
      },
    },
  };
}

async function listFiles(folder: string): Promise<Precached[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const names = entries
    .filter((entry) => entry.isFile())
    .map((entry) =>
      join(entry.parentPath, entry.name)
        .slice(folder.length + 1)
        .replaceAll(sep, '/'),
    )
    .filter((name) => !ON_CHOICE.test(name) && !/\.(?:br|gz|png|txt)$|^sw\.js$/.test(name));
  return Promise.all(
    names.sort().map(async (name) => ({
      url: `/${name}`,
      revision: name.startsWith('assets/') ? null : await hashOf(join(folder, name)),
    })),
  );
}

const hashOf = async (path: string): Promise<string> =>
  createHash('sha256')
    .update(await readFile(path))
    .digest('hex')
    .slice(0, 16);
