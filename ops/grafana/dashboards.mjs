/**
 * Writes the dashboards as JSON, one file each, from the descriptions in ./source:
 *   node ops/grafana/dashboards.mjs
 *   node ops/grafana/dashboards.mjs --check    ends with 1 if a file differs from its description
 */
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import api from './source/api.mjs';
import database from './source/database.mjs';
import listeners from './source/listeners.mjs';
import points from './source/points.mjs';
import providers from './source/providers.mjs';

const FOLDER = new URL('./dashboards/', import.meta.url);

/** Each dashboard by the name of its file. */
export const DASHBOARDS = {
  'api.json': api,
  'database.json': database,
  'listeners.json': listeners,
  'points.json': points,
  'providers.json': providers,
};

export const textOf = (dashboard) => `${JSON.stringify(dashboard, null, 2)}\n`;

/** @returns a line for each file that is not what its description says */
export async function differences() {
  const found = [];
  const there = await readdir(FOLDER);
  for (const [name, dashboard] of Object.entries(DASHBOARDS)) {
    const text = await readFile(new URL(name, FOLDER), 'utf8').catch(() => null);
    if (text === null) found.push(`${name} is missing.`);
    else if (text !== textOf(dashboard)) found.push(`${name} differs from its description.`);
  }
  for (const name of there) if (!(name in DASHBOARDS)) found.push(`${name} has no description.`);
  return found;
}

async function main() {
  if (!process.argv.includes('--check')) {
    for (const [name, dashboard] of Object.entries(DASHBOARDS))
      await writeFile(new URL(name, FOLDER), textOf(dashboard));
    return;
  }
  const found = await differences();
  for (const line of found) process.stderr.write(`ops/grafana/dashboards: ${line}\n`);
  if (found.length === 0) return;
  process.stderr.write('Run `npm run dashboards`.\n');
  process.exitCode = 1;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await main();
