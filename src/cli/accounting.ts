import { once } from 'node:events';
import type { App } from '../services/app.js';
import { closeMonth } from '../services/accounting/close-month.js';
import { readJournalOf, writeJournal } from '../services/accounting/journal.js';

type Facts = Pick<App, 'db'>;

const FORMATS = ['csv', 'jsonl'] as const;
export type JournalFormat = (typeof FORMATS)[number];

/** The format with this name. Undefined when there is none, so that the command can list the formats. */
export const asJournalFormat = (name: string): JournalFormat | undefined =>
  FORMATS.find((format) => format === name);

/** Writes text to standard output, and waits whenever its buffer is full (backpressure). */
export async function writeAll(texts: AsyncIterable<string> | Iterable<string>): Promise<void> {
  for await (const text of texts)
    if (!process.stdout.write(text)) await once(process.stdout, 'drain');
}

/** Prints the journal of a month, and what is wrong with it on the error output. @returns how the command ends */
export async function printJournal(
  facts: Facts,
  month: string,
  format: JournalFormat,
): Promise<number> {
  const { journal, faults } = await readJournalOf(facts, month);
  await writeAll(writeJournal(journal, format));
  for (const fault of faults) process.stderr.write(`${fault}\n`);
  return faults.length === 0 ? 0 : 1;
}

/** Closes the books of a month and says since when they are closed. */
export async function printClosing(facts: Facts, month: string): Promise<number> {
  const { period, closedAt, journalRoot } = await closeMonth(facts, month);
  const covered = period === month ? '' : `, with those of ${period}`;
  const root =
    journalRoot === null
      ? ''
      : ` The root of the journal of ${period} is ${Buffer.from(journalRoot).toString('hex')}.`;
  process.stdout.write(
    `The books of ${month} are closed since ${closedAt.toISOString()}${covered}.${root}\n`,
  );
  return 0;
}
