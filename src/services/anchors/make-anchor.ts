import { appendFile, readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { App } from '../app.js';
import { FIRST_ID, newId } from '../../domain/ids.js';
import { createMerkleTree, leafData } from '../../domain/ledger/merkle.js';
import { isDistributed } from '../../infra/citus/placement.js';
import { readSnapshot, transact, type Tx } from '../../infra/db.js';
import { openAnchorPlaces } from '../../infra/storage/anchor-places.js';
import type { AnchorPlace } from '../../infra/storage/storage.js';
import {
  makePrivateFolder,
  openPrivateFile,
  requirePrivate,
} from '../../infra/storage/private-files.js';
import { writeAudit } from '../audit.sql.js';
import type { LedgerCheck } from '../reconciliation/reconcile.js';
import {
  ANCHOR_ACTION,
  noteAnchored,
  readAnchorEntry,
  readAuditEnd,
  readLeaves,
  readMovedPoints,
  readMovedSinceCheckpoints,
} from './anchors.sql.js';
import { batchesOf, FIRST_LINE, lastLine, leafLine, leavesOf, readSigned } from './file.js';
import { publicPartOf } from './keys.js';
import { AnchorError, peekStatement, signStatement, type AnchorStatement } from './statement.js';
import { createTotals } from './totals.js';
import { waitingFolderOf } from './waiting.js';

type Facts = Pick<App, 'db' | 'log' | 'config' | 'anchorKeys'>;

const ACCOUNTS_AT_ONCE = 2_000;
/** A file that was begun so long ago is abandoned, and is deleted. */
const UNFINISHED_KEPT_MS = 86_400_000;

/**
 * Makes a signed statement over all accounts. When this returns, the statement is in the audit log and in the log, and
 * the file with its leaves is in every configured place. Several processes may run it at once, and each makes its own
 * anchor.
 *
 * The file waits in DATA_DIR/anchors until every place has it. The audit entry is committed before any place gets the
 * file, so that a file without an entry shows that the audit log was cut off. If the process ends in between, or a
 * place refuses the file, it stays there, and the next anchor of a process with this DATA_DIR delivers it.
 * @param reconciliation the check of the whole ledger just before
 * @throws when a place refused a file; the statement is in the audit log and in the log all the same
 */
export async function makeAnchor(
  app: Facts,
  reconciliation: { readonly id: string; readonly checks: readonly LedgerCheck[] },
  signal?: AbortSignal,
): Promise<void> {
  const folder = waitingFolderOf(app.config.dataDir);
  await makePrivateFolder(folder);
  await requirePrivate(folder, { kind: 'folder' });
  const id = newId();
  const violations = reconciliation.checks.reduce((sum, check) => sum + check.violations, 0);
  const path = join(folder, `${id}.jsonl`);
  const { at } = await writeFile(app, path, { id, violations }, signal);
  await deliverAll(app, folder);
  await noteAnchored(app.db, reconciliation.id, new Date(at));
}

/** The name sorts by the instant, and is unique. */
const fileNameOf = ({ id, at }: Pick<AnchorStatement, 'id' | 'at'>): string =>
  `${at.replaceAll(':', '-').replace('.', '-')}-${id}.jsonl`;

/** Writes the leaves, the statement, and then the audit entry. */
async function writeFile(
  app: Facts,
  path: string,
  about: { id: string; violations: number },
  signal: AbortSignal | undefined,
): Promise<AnchorStatement> {
  try {
    const seen = await readSnapshot(app.db, (tx) => writeLeaves(tx, path, signal));
    const totals = createTotals(
      app.db,
      isDistributed(app.db) ? readMovedPoints : readMovedSinceCheckpoints,
    );
    for await (const batch of batchesOf(leavesOf(path))) {
      signal?.throwIfAborted();
      await totals.add(batch);
    }
    const key = await app.anchorKeys.signing();
    const signed = await signStatement({ ...about, ...seen, totals: totals.result() }, key);
    const publicJwk = { ...publicPartOf(key.privateJwk), kid: key.kid };
    await appendFile(path, `${lastLine(signed, publicJwk)}\n`, { flush: true });
    const statement = peekStatement(signed);
    await note(app, statement, signed);
    return statement;
  } catch (error) {
    await rm(path, { force: true });
    throw error;
  }
}

/** Writes a leaf for every account from one snapshot. Holds one page of accounts in memory. */
async function writeLeaves(
  tx: Tx,
  path: string,
  signal: AbortSignal | undefined,
): Promise<Pick<AnchorStatement, 'at' | 'audit' | 'accounts' | 'transactions' | 'root'>> {
  await rm(path, { force: true });
  const file = await openPrivateFile(path);
  try {
    await file.appendFile(`${FIRST_LINE}\n`);
    const { at, audit } = await readAuditEnd(tx);
    const tree = createMerkleTree();
    let transactions = 0;
    for (let after = FIRST_ID, isOver = false; !isOver;) {
      signal?.throwIfAborted();
      const leaves = await readLeaves(tx, { after, limit: ACCOUNTS_AT_ONCE });
      for (const leaf of leaves) {
        tree.add(leafData(leaf));
        transactions += leaf.lastSeq;
      }
      await file.appendFile(leaves.map((leaf) => `${leafLine(leaf)}\n`).join(''));
      after = leaves.at(-1)?.userId ?? after;
      isOver = leaves.length < ACCOUNTS_AT_ONCE;
    }
    const root = tree.root().toString('hex');
    return { at: at.toISOString(), audit, accounts: tree.size(), transactions, root };
  } finally {
    await file.close();
  }
}

/** Writes the statement to the audit log, after the last entry that the statement covers, and to the log. */
async function note(app: Facts, statement: AnchorStatement, signed: string): Promise<void> {
  const { id, at, root, accounts, transactions } = statement;
  await transact(app.db, (tx) =>
    writeAudit(tx, [
      {
        actorId: null,
        action: ANCHOR_ACTION,
        target: id,
        reason: null,
        details: { root, accounts, transactions, statement: signed },
        at: new Date(at),
      },
    ]),
  );
  app.log.info(
    { event: 'ledger-anchored', anchor: statement, statement: signed },
    'ledger anchored',
  );
}

/** Delivers the waiting files to their places, oldest first. A file without an audit entry is not delivered. */
async function deliverAll(app: Facts, folder: string): Promise<void> {
  const places = await openAnchorPlaces(app.config);
  let failure: unknown;
  try {
    for (const name of (await readdir(folder)).sort()) {
      const path = join(folder, name);
      const statement = await readNoted(app, path);
      if (statement !== null)
        failure = (await deliver(app, { path, statement, places })) ?? failure;
      else if (await isOld(path)) await rm(path, { force: true });
    }
  } finally {
    for (const place of places) place.close();
  }
  if (failure !== undefined)
    throw new Error(`An anchor waits in ${folder}, because a place did not take it.`, {
      cause: failure,
    });
}

/** @returns the reason why a place refused the file, which then stays; undefined when every place has it */
async function deliver(
  app: Facts,
  file: { path: string; statement: AnchorStatement; places: readonly AnchorPlace[] },
): Promise<unknown> {
  const { path, statement, places } = file;
  const { id: anchorId } = statement;
  let failure: unknown;
  for (const place of places) {
    try {
      await place.keep(fileNameOf(statement), path);
      app.log.info({ event: 'anchor-kept', anchorId, place: place.name }, 'anchor kept');
    } catch (error) {
      // Another process has delivered it to every place meanwhile.
      if ((await found(path)) === null) return undefined;
      app.log.error(
        { event: 'anchor-not-kept', err: error, anchorId, place: place.name },
        'anchor not kept',
      );
      failure = error;
    }
  }
  if (failure === undefined) await rm(path, { force: true });
  return failure;
}

async function readNoted(app: Facts, path: string): Promise<AnchorStatement | null> {
  try {
    const signed = await readSigned(path);
    const statement = peekStatement(signed);
    const { id, audit } = statement;
    const noted = await readAnchorEntry(app.db, { id, afterSeq: audit.seq });
    return noted === signed ? statement : null;
  } catch (error) {
    // Another process is still writing the file, or has just removed it.
    if (error instanceof AnchorError) return null;
    throw error;
  }
}

const found = (path: string): Promise<{ mtimeMs: number } | null> => stat(path).catch(() => null);

const isOld = async (path: string): Promise<boolean> => {
  const file = await found(path);
  return file !== null && file.mtimeMs < Date.now() - UNFINISHED_KEPT_MS;
};
