import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { brotliCompress, constants, gzip } from 'node:zlib';
import type { Plugin } from 'vite';

const [brotli, zip] = [promisify(brotliCompress), promisify(gzip)];
const TEXT = /\.(?:js|css|html|svg|json|webmanifest)$/;

/** Puts compressed files beside each text file, so that the server need not compress anything. */
export function compress(): Plugin {
  let folder = '';
  return {
    name: 'talebank:compress',
    apply: 'build',
    enforce: 'post',
    configResolved(config) {
      folder = join(config.root, config.build.outDir);
    },
    closeBundle: {
      sequential: true,
      order: 'post',
      async handler() {
        const entries = await readdir(folder, { recursive: true });
        await Promise.all(
          entries
            .filter((name) => TEXT.test(name))
            .map((name) => writeCompressed(join(folder, name))),
        );
      },
    },
  };
}

async function writeCompressed(path: string): Promise<void> {
  const text = await readFile(path);
  const params = { [constants.BROTLI_PARAM_QUALITY]: 11 };
  await writeFile(`${path}.br`, await brotli(text, { params }));
  await writeFile(`${path}.gz`, await zip(text, { level: 9 }));
}
