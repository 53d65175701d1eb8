import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const FOLDER = fileURLToPath(new URL('../../docs/runbooks/', import.meta.url));

/** The page that lists the others. It has no sections. */
export const INDEX = 'README.md';
/** The sections of every other page, in their order. */
export const SECTIONS = [
  'How to recognise it',
  'What to look at',
  'What to do',
  'How to know that it is over',
] as const;

/** A fenced block. `text` is for commands that no test can run. */
export interface Block {
  readonly language: string;
  /** The words after the language, for example `admin` or `exit 1`. */
  readonly words: readonly string[];
  readonly text: string;
  /** The section it stands in; '' before the first one. */
  readonly section: string;
  /** The line of its fence, from 1. */
  readonly line: number;
}

export interface Runbook {
  /** The name of the file. */
  readonly name: string;
  readonly text: string;
  readonly sections: readonly { readonly title: string; readonly text: string }[];
  readonly blocks: readonly Block[];
}

/** A fence may be indented as part of a list. */
const FENCE = /^( *)```(.*)$/;

function blocksOf(text: string): Block[] {
  const blocks: Block[] = [];
  let section = '';
  let open: { indent: string; info: string; line: number; lines: string[] } | null = null;
  for (const [index, line] of text.split('\n').entries()) {
    const [, indent = '', info = ''] = FENCE.exec(line) ?? [];
    if (!FENCE.test(line)) {
      open?.lines.push(line.startsWith(open.indent) ? line.slice(open.indent.length) : line);
      if (open === null && line.startsWith('## ')) section = line.slice(3).trim();
    } else if (open === null) open = { indent, info, line: index + 1, lines: [] };
    else {
      const [language = '', ...words] = open.info.trim().split(/ +/);
      blocks.push({ language, words, text: open.lines.join('\n'), section, line: open.line });
      open = null;
    }
  }
  return blocks;
}

function sectionsOf(text: string): { title: string; text: string }[] {
  return text
    .split(/^## /m)
    .slice(1)
    .map((part) => {
      const end = part.indexOf('\n');
      return { title: part.slice(0, end).trim(), text: part.slice(end + 1).trim() };
    });
}

export const runbookOf = (name: string, text: string): Runbook => ({
  name,
  text,
  sections: sectionsOf(text),
  blocks: blocksOf(text),
});

/** All pages of docs/runbooks, the index too. */
export const readRunbooks = (): Runbook[] =>
  readdirSync(FOLDER)
    .filter((name) => name.endsWith('.md'))
    .sort()
    .map((name) => runbookOf(name, readFileSync(join(FOLDER, name), 'utf8')));

/** A word that a person replaces: a `$` and capitals. */
export const PLACEHOLDER = /\$([A-Z][A-Z0-9_]+)/g;

/** Puts values where the placeholders are. @throws for one without a value */
export const filledIn = (text: string, values: Readonly<Record<string, string>>): string =>
  text.replace(PLACEHOLDER, (_whole, name: string) => {
    const value = values[name];
    if (value === undefined) throw new Error(`There is no value for $${name}.`);
    return value;
  });
