import type { App } from '../app.js';
import { readAnchorEntry } from './anchors.sql.js';
import { readAuditHash, readLostHeads, type LostHead } from './compare.sql.js';
import { batchesOf, checkLeaves, leavesOf, readSigned } from './file.js';
import {
  openStatement,
  type AnchorKey,
  type AnchorStatement,
  type SourceTotal,
} from './statement.js';
import { createTotals } from './totals.js';

type Facts = Pick<App, 'db'>;

/** The file of an anchor whose signature and tree were verified. */
export interface OpenAnchor {
  readonly path: string;
  readonly signed: string;
  readonly statement: AnchorStatement;
  readonly key: AnchorKey;
}

/**
 * Opens and verifies the file of an anchor.
 * @param keys the trusted keys
 * @throws AnchorError that says what is wrong with the file
 */
export async function openAnchor(path: string, keys: readonly AnchorKey[]): Promise<OpenAnchor> {
  const signed = await readSigned(path);
  const { statement, key } = await openStatement(signed, keys);
  await checkLeaves(path, statement);
  return { path, signed, statement, key };
}

/**
 * Reports what the ledger has lost since an anchor: accounts that are gone, cut off or rewritten, an audit log that was
 * cut off or rewritten, and totals that differ. Later transactions are no difference. `checkLedger` verifies that each
 * history and the audit log are chains up to their heads. Only both together prove them.
 * @param options.userId compares only this account, and neither the audit log nor the totals
 * @param report is called with a sentence for each difference, as it is found
 * @returns the number of accounts that were compared
 */
export async function compareWithAnchor(
  app: Facts,
  anchor: OpenAnchor,
  report: (difference: string) => void,
  options: { userId?: string | undefined } = {},
): Promise<number> {
  const { userId } = options;
  const totals = createTotals(app.db);
  let accounts = 0;
  for await (const batch of batchesOf(leavesOf(anchor.path))) {
    const leaves = userId === undefined ? batch : batch.filter((leaf) => leaf.userId === userId);
    if (leaves.length === 0) continue;
    accounts += leaves.length;
    for (const lost of await readLostHeads(app.db, leaves)) report(describe(lost));
    if (userId === undefined) await totals.add(leaves);
  }
  if (userId !== undefined) return accounts;
  for (const difference of compareTotals(anchor.statement.totals, totals.result()))
    report(difference);
  await compareAudit(app, anchor, report);
  return accounts;
}

function describe({ userId, lastSeq, endsWith, isThere }: LostHead): string {
  const had = `transaction ${String(lastSeq)}`;
  if (endsWith === null)
    return `user ${userId}: the account is gone; by the anchor its history ends with ${had}`;
  if (isThere)
    return `user ${userId}: the history was rewritten at or before ${had}, whose hash is another one than in the anchor`;
  return `user ${userId}: the history was cut; it ends with transaction ${String(endsWith)}, and the anchor has ${had}`;
}

const COLUMNS = ['granted', 'debited', 'refunded', 'expired', 'revoked', 'outstanding'] as const;

function compareTotals(then: readonly SourceTotal[], now: readonly SourceTotal[]): string[] {
  const sources = [...new Set([...then, ...now].map(({ source }) => source))].sort();
  return sources.flatMap((source) => {
    const [before, after] = [then, now].map((all) => all.find((one) => one.source === source));
    return COLUMNS.filter((column) => (before?.[column] ?? 0) !== (after?.[column] ?? 0)).map(
      (column) =>
        `${source}: of what the anchor covers, ${String(after?.[column] ?? 0)} points are ${column} now, and were ${String(before?.[column] ?? 0)}`,
    );
  });
}

async function compareAudit(
  app: Facts,
  { signed, statement }: OpenAnchor,
  report: (difference: string) => void,
): Promise<void> {
  const { id, audit } = statement;
  const { hash, lastSeq } = await readAuditHash(app.db, audit.seq);
  const had = `entry ${String(audit.seq)}`;
  if (audit.seq > 0 && hash === null)
    report(
      `the audit log was cut: it ends with entry ${String(lastSeq)}, and the anchor has ${had}`,
    );
  else if (audit.seq > 0 && hash !== audit.hash)
    report(
      `the audit log was rewritten at or before ${had}, whose hash is another one than in the anchor`,
    );
  // The entry is committed before the file is delivered anywhere, so that a missing entry is a difference.
  if ((await readAnchorEntry(app.db, { id, afterSeq: audit.seq })) !== signed)
    report(`the audit log was cut or rewritten: it has no entry of the anchor after ${had}`);
}
