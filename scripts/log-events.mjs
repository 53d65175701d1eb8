// Writes docs/log-events.md from the list of events in the compiled server. `--check` only compares.
import { readFile, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { format, resolveConfig } from 'prettier';

const PAGE = fileURLToPath(new URL('../docs/log-events.md', import.meta.url));

/** The page about all events. */
export async function renderPage(eventsBySubject, fields) {
  const subjects = Object.entries(eventsBySubject).map(
    ([subject, events]) => `## ${subject}\n\n${Object.entries(events).map(section).join('\n\n')}`,
  );
  const meanings = Object.entries(fields).map(([name, meaning]) => `| \`${name}\` | ${meaning} |`);
  const text = `# Log events

This page is made from \`src/infra/logging/events/\` by \`npm run log-events\`. [operations.md](operations.md#logs) explains
the log.

${subjects.join('\n\n')}

## Fields

| field | meaning |
| --- | --- |
${meanings.join('\n')}
`;
  return format(text, { ...(await resolveConfig(PAGE)), parser: 'markdown' });
}

function section([name, { level, fields, when, action }]) {
  const named = fields.map((field) =>
    field.endsWith('?') ? `\`${field.slice(0, -1)}\` (not always)` : `\`${field}\``,
  );
  return [
    `### \`${name}\``,
    `Level **${level}**. ${when}`,
    [
      `- Fields: ${named.length === 0 ? 'none' : named.join(', ')}.`,
      ...(action === null ? [] : [`- What to do: ${action}`]),
    ].join('\n'),
  ].join('\n\n');
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { EVENTS_BY_SUBJECT } = await import('../dist/infra/logging/events.js');
  const { FIELDS } = await import('../dist/infra/logging/fields.js');
  const page = await renderPage(EVENTS_BY_SUBJECT, FIELDS);
  if (!process.argv.includes('--check')) await writeFile(PAGE, page);
  else if ((await readFile(PAGE, 'utf8').catch(() => '')) !== page) {
    process.stderr.write('docs/log-events.md is not what the code says: run npm run log-events.\n');
    process.exit(1);
  }
}
