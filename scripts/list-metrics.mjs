/**
 * Writes the table of metrics in docs/operations.md, from what the compiled server declares. With `--check` it only
 * compares, and fails when they differ.
 */
import { readFile, writeFile } from 'node:fs/promises';
import prettier from 'prettier';
import { createMetrics } from '../dist/infra/metrics.js';

const PAGE = new URL('../docs/operations.md', import.meta.url);
const [START, END] = ['<!-- metrics: npm run docs:metrics -->', '<!-- end of metrics -->'];

const own = (await createMetrics().describe()).filter(
  ({ name }) => !/^talebank_(?:process|nodejs)_/.test(name),
);
const rows = own.map(({ name, type, labels, help }) => {
  const named = labels.map((label) => `\`${label}\``).join(', ');
  return `| \`${name.replace('talebank_', '')}\` | ${type} | ${named} | ${help} |`;
});
const page = await readFile(PAGE, 'utf8');
const [before, rest = ''] = page.split(START);
const after = rest.split(END)[1];
if (after === undefined) throw new Error(`docs/operations.md lacks ${START} or ${END}.`);
const table = ['| metric | kind | labels | what it says |', '| --- | --- | --- | --- |', ...rows];
const text = [before + START, table.join('\n'), END + after].join('\n\n');
const options = await prettier.resolveConfig(PAGE);
const wanted = await prettier.format(text, { ...options, parser: 'markdown' });
if (process.argv.includes('--check')) {
  if (wanted !== page) {
    process.stderr.write(
      'docs/operations.md does not list the metrics as they are: npm run docs:metrics\n',
    );
    process.exit(1);
  }
} else await writeFile(PAGE, wanted);
