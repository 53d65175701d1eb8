/** Writes the schema that clients see to schema.graphql, or with --check compares the two. */
import { readFile, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { lexicographicSortSchema, printSchema } from 'graphql';
import { buildTypes } from '../resolvers/schema.js';

const path = fileURLToPath(new URL('../../schema.graphql', import.meta.url));
const sdl = `${printSchema(lexicographicSortSchema(buildTypes()))}\n`;

if (process.argv.includes('--check')) {
  const committed = await readFile(path, 'utf8').catch(() => '');
  if (committed !== sdl) {
    process.stderr.write('schema.graphql is out of date: run `npm run schema` and commit it.\n');
    process.exit(1);
  }
} else {
  await writeFile(path, sdl);
}
