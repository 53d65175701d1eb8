/**
 * Writes docs/configuration.md: the variables, their defaults and what they may be from the compiled server, and what
 * they mean from .env.example. With `--check` it only compares.
 */
import { readFile } from 'node:fs/promises';
import { isDeepStrictEqual } from 'node:util';
import { isSecretVariable } from '../dist/variables/explanation.js';
import { variables } from '../dist/variables.js';
import { cell, keepPage } from './written-page.mjs';

const EXAMPLE = new URL('../.env.example', import.meta.url);
const INTRODUCTION = `# Configuration

Every environment variable that the server and its commands read. None is needed for \`npm start\`. The server reads only
its environment and no file; \`node --env-file=FILE dist/main.js\` reads one. A value that is not allowed stops the start
with one line that names the variable, the value found and what is allowed. The values of secrets are never printed.

\`npm run docs:configuration\` writes this page from the code and from \`.env.example\`.`;

/** Variables with their sections, comments and example values, as .env.example has them. */
function readExample(text) {
  const found = [];
  let section = 'General';
  let comment = [];
  let isComplete = false;
  for (const line of text.split('\n').slice(4)) {
    const [, title] = /^# --- (.*?) -+$/.exec(line) ?? [];
    const [, hash, name, value] = /^(# )?([A-Z][A-Z0-9_]+)=(.*)$/.exec(line) ?? [];
    if (title !== undefined) {
      section = title[0].toUpperCase() + title.slice(1);
      comment = [];
    } else if (name !== undefined) {
      found.push({
        section,
        name,
        value,
        isDefault: hash === undefined,
        comment: comment.join(' '),
      });
      isComplete = true;
    } else if (line.startsWith('# ')) {
      if (isComplete) comment = [];
      isComplete = false;
      comment.push(line.slice(2).trim());
    }
  }
  return found;
}

/** Values of which each kind of variable refuses at least one, with a message that says what is allowed. */
const REFUSED = ['999999999999', '-1', 'a value\u0000with spaces', ''];

function allowedFor(schema) {
  const messages = new Set();
  for (const value of REFUSED)
    for (const issue of schema.safeParse(value).error?.issues ?? [])
      messages.add(
        issue.code === 'invalid_value'
          ? issue.values.map((one) => `\`${one}\``).join(', ')
          : issue.message.replace(/^must (?:be|have) /, ''),
      );
  const [...all] = messages;
  const ranges = all.filter((message) => /^\d+ to \d+$/.test(message));
  if (all.includes('a whole number') && ranges.length > 0) return ranges[0];
  return all.filter((message) => !/^(?:Invalid|Too)/.test(message))[0] ?? 'any text';
}

function defaultOf(schema, { name, value, isDefault }) {
  if (!isDefault) {
    const preset = schema.safeParse(undefined).data;
    if (preset === '' || (Array.isArray(preset) && preset.length === 0)) return 'empty';
    if (preset !== undefined)
      throw new Error(`.env.example has ${name} as a comment, but it has a default.`);
    return isSecretVariable(name) ? 'not set (secret)' : 'not set';
  }
  if (!isDeepStrictEqual(schema.parse(undefined), schema.parse(value)))
    throw new Error(
      `.env.example has ${name}=${value}, which is not the default: correct one of them.`,
    );
  return value === '' ? 'empty' : `\`${value}\``;
}

const described = readExample(await readFile(EXAMPLE, 'utf8'));
const names = described.map(({ name }) => name);
for (const name of Object.keys(variables.shape))
  if (!names.includes(name)) throw new Error(`.env.example lacks ${name}: add it with a comment.`);

const parts = [INTRODUCTION];
let section = '';
for (const entry of described) {
  const schema = variables.shape[entry.name];
  if (schema === undefined)
    throw new Error(
      `.env.example has ${entry.name}, which is not a variable of the server: remove it.`,
    );
  if (entry.section !== section) {
    section = entry.section;
    parts.push(
      `\n\n## ${section}\n\n| variable | default | allowed | meaning |\n| --- | --- | --- | --- |`,
    );
  }
  parts.push(
    `| \`${entry.name}\` | ${[defaultOf(schema, entry), allowedFor(schema), entry.comment].map(cell).join(' | ')} |`,
  );
}
await keepPage('configuration.md', `${parts.join('\n')}\n`, 'docs:configuration');
