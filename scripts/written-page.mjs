import { readFile, writeFile } from 'node:fs/promises';
import prettier from 'prettier';

/**
 * Writes a page of docs that is made from the code. With `--check` it only compares, and fails when they differ.
 * @param name of the file in docs
 * @param text its markdown
 * @param command the script that writes it
 */
export async function keepPage(name, text, command) {
  const path = new URL(`../docs/${name}`, import.meta.url);
  const options = await prettier.resolveConfig(path);
  const wanted = await prettier.format(text, { ...options, parser: 'markdown' });
  if (!process.argv.includes('--check')) return writeFile(path, wanted);
  const page = await readFile(path, 'utf8').catch(() => '');
  if (page === wanted) return;
  process.stderr.write(`docs/${name} is out of date: run \`npm run ${command}\`.\n`);
  process.exit(1);
}

/** For a cell of a table. */
export const cell = (text) =>
  text
    .replaceAll('|', '\\|')
    .split('\n')
    .map((line) => line.trim())
    .join(' ');
