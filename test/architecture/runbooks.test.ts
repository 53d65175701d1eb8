import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { buildSchema, parse, validate } from 'graphql';
import {
  INDEX,
  PLACEHOLDER,
  readRunbooks,
  runbookOf,
  SECTIONS,
  type Runbook,
} from '../support/runbooks.js';

const LANGUAGES = ['sh', 'sql', 'graphql', 'promql', 'text'];
/** A page for a person at night is short. */
const LINES_MAX = 160;

const all = readRunbooks();
const pages = all.filter(({ name }) => name !== INDEX);
const index = all.find(({ name }) => name === INDEX)?.text ?? '';
const schema = buildSchema(readFileSync('schema.graphql', 'utf8'));

/** As GitHub makes anchors of headings. */
const anchorOf = (heading: string): string =>
  heading
    .toLowerCase()
    .replace(/[^a-z0-9 _-]/g, '')
    .replaceAll(' ', '-');
const anchorsOf = (text: string): string[] =>
  [...text.matchAll(/^#+ (.*)$/gm)].map(([, heading = '']) => anchorOf(heading));

/** What is wrong with the links of a page of docs/runbooks. */
function brokenLinks({ text }: Runbook): string[] {
  const links = [...text.matchAll(/\]\(([^)\s]+)\)/g)].map(([, target = '']) => target);
  return links.filter((target) => {
    if (/^[a-z]+:/.test(target)) return false;
    const [path = '', anchor] = target.split('#');
    const file = path === '' ? null : join('docs/runbooks', path);
    if (file !== null && !existsSync(file)) return true;
    const there = file === null ? text : readFileSync(file, 'utf8');
    return anchor !== undefined && !anchorsOf(there).includes(anchor);
  });
}

/** What is wrong with the form of a page. */
function faults(page: Runbook): string[] {
  const found = brokenLinks(page).map((target) => `the link ${target} is broken`);
  const titles = page.sections.map(({ title }) => title);
  if (titles.join('|') !== SECTIONS.join('|'))
    found.push(`its sections are ${titles.join(', ')}, not ${SECTIONS.join(', ')}`);
  for (const { title, text } of page.sections) if (text === '') found.push(`${title} says nothing`);
  if (!page.text.startsWith('# ')) found.push('it has no title');
  if (page.text.split('\n').length > LINES_MAX) found.push('it is too long');
  if (!page.blocks.some(({ language }) => language !== 'text')) found.push('it has no command');
  for (const { language, text, line } of page.blocks) {
    if (!LANGUAGES.includes(language))
      found.push(`line ${String(line)}: a block of the language '${language}'`);
    if (language !== 'graphql') continue;
    const errors = validate(schema, parse(text));
    for (const { message } of errors) found.push(`line ${String(line)}: ${message}`);
  }
  for (const [, name = ''] of page.text.matchAll(PLACEHOLDER))
    if (!index.includes(`| \`$${name}\``)) found.push(`$${name} is not in the index`);
  return found;
}

test.each(pages.map((page) => [page.name, page] as const))('%s is a whole page', (_name, page) => {
  expect(faults(page)).toEqual([]);
});

test('the index names every page once, and its links lead somewhere', () => {
  expect(pages.length).toBeGreaterThan(10);
  expect(brokenLinks({ name: INDEX, text: index, sections: [], blocks: [] })).toEqual([]);
  const named = [...index.matchAll(/^\| [^|]*\]\(([a-z-]+\.md)\)/gm)].map(([, name]) => name);
  expect(named.sort()).toEqual(pages.map(({ name }) => name));
});

test('every alert has a page of its name, and links to it', () => {
  const folder = 'ops/prometheus';
  const rules = readdirSync(folder)
    .filter((name) => name.endsWith('.yml'))
    .map((name) => readFileSync(join(folder, name), 'utf8'))
    .join('\n');
  const alerts = [...rules.matchAll(/- alert: (\w+)/g)].map(([, name = '']) => name);
  const fileOf = (alert: string): string =>
    `${alert.replace(/(?!^)([A-Z])/g, '-$1').toLowerCase()}.md`;
  expect(alerts.length).toBeGreaterThan(10);
  const names = pages.map(({ name }) => name);
  expect(alerts.map(fileOf).filter((file) => !names.includes(file))).toEqual([]);
  const linked = [...rules.matchAll(/runbook_url: (\S+)/g)].map(([, path = '']) => path);
  expect(linked.sort()).toEqual(alerts.map((alert) => `docs/runbooks/${fileOf(alert)}`).sort());
  for (const rule of rules.split('- alert: ').slice(1)) {
    const [alert = ''] = /^\w+/.exec(rule) ?? [];
    const [, severity = ''] = /severity: (\w+)/.exec(rule) ?? [];
    const [line = ''] = index.split('\n').filter((one) => one.startsWith(`| [${alert}](`));
    expect([alert, line.split('|')[2]?.trim()]).toEqual([alert, severity]);
  }
});

test('what the pages look for in the log is what the server writes there', () => {
  const sources = readdirSync('src', { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.ts') && !path.startsWith('generated'))
    .map((path) => readFileSync(join('src', path), 'utf8'))
    .join('\n');
  const wanted = all.flatMap(({ name, text }) =>
    [...text.matchAll(/grep (?:-[Fi] )?'([^']+)' "\$LOG"/g)].map(([, words = '']) => [name, words]),
  );
  expect(wanted.length).toBeGreaterThan(5);
  expect(wanted.filter(([, words = '']) => !new RegExp(words, 'i').test(sources))).toEqual([]);
});

describe('the check sees what it is for', () => {
  const WHOLE = `# A page\n\n${SECTIONS.map((title) => `## ${title}\n\nText.\n`).join('\n')}
\`\`\`sh
true
\`\`\`
`;
  const page = (text: string): string[] => faults(runbookOf('a-page.md', text));

  test('a whole page', () => {
    expect(page(WHOLE)).toEqual([]);
  });

  test.each([
    ['a section is missing', WHOLE.replace('## What to do\n', '')],
    ['a section is empty', WHOLE.replace('## What to do\n\nText.', '## What to do\n')],
    ['a link is broken', WHOLE.replace('Text.', '[here](nowhere.md)')],
    ['an anchor is broken', WHOLE.replace('Text.', '[here](../ledger.md#nowhere)')],
    ['a language is not run', WHOLE.replace('```sh', '```bash')],
    ['a query does not fit the schema', WHOLE.replace('```sh\ntrue', '```graphql\n{ nothing }')],
    ['a placeholder is not documented', WHOLE.replace('true', 'echo "$NOBODY_KNOWS"')],
    ['nothing can be run', WHOLE.replace('```sh', '```text')],
  ])('%s', (_what, text) => {
    expect(page(text)).toHaveLength(1);
  });
});
