import { createReadStream } from 'node:fs';
import { open } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import type { JWK } from 'jose';
import { z } from 'zod';
import { messageOf } from '../../domain/errors.js';
import { createMerkleTree, leafData, type AnchorLeaf } from '../../domain/ledger/merkle.js';
import { AnchorError, type AnchorStatement } from './statement.js';

/*
 * The file of an anchor is JSON lines. The first line names the format, then there is a leaf for each account in the
 * order of the ids, and the last line is the statement. It is last because its root is known last. So a file that was
 * cut off has none.
 */

export const FIRST_LINE = '{"kind":"talebank-anchor","format":1}';
const GENESIS = '00'.repeat(32);

/** The line of an account, without a line break. It is the only valid text for its leaf. */
export const leafLine = ({ userId, lastSeq, headHash }: AnchorLeaf): string =>
  `["${userId}",${String(lastSeq)},"${headHash}"]`;

/** The line with the signed statement and the public key, without a line break. */
export const lastLine = (statement: string, key: JWK): string => JSON.stringify({ statement, key });

const signedLine = z.object({ statement: z.string() });

/** More than the length of a statement with every source. */
const TAIL_BYTES = 65_536;

/** The signed statement of a file, which is not verified yet. @throws AnchorError */
export async function readSigned(path: string): Promise<string> {
  const tail = await readTail(path);
  const lines = tail.split('\n');
  const cut = new AnchorError(
    `${path} is no whole file of an anchor, because its last line is not a statement: it was cut off, or is another file.`,
  );
  if (lines.pop() !== '') throw cut;
  const parsed = signedLine.safeParse(parseOr(lines.pop() ?? '', null));
  if (!parsed.success) throw cut;
  return parsed.data.statement;
}

async function readTail(path: string): Promise<string> {
  const file = await open(path).catch((error: unknown) => {
    throw new AnchorError(`${path} cannot be read: ${messageOf(error)}`, { cause: error });
  });
  try {
    const { size } = await file.stat();
    const length = Math.min(size, TAIL_BYTES);
    const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, size - length);
    return buffer.toString('utf8', 0, bytesRead);
  } catch (error) {
    throw new AnchorError(`${path} cannot be read: ${messageOf(error)}`, { cause: error });
  } finally {
    await file.close();
  }
}

function parseOr(text: string, otherwise: unknown): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return otherwise;
  }
}

/** Parsed without a schema for speed, because there may be millions of leaves. */
function leafOf(line: string): AnchorLeaf | null {
  const parsed = parseOr(line, null);
  if (!Array.isArray(parsed)) return null;
  const parts: unknown[] = parsed;
  const [userId, lastSeq, headHash] = parts;
  if (typeof userId !== 'string' || typeof headHash !== 'string') return null;
  if (typeof lastSeq !== 'number' || !Number.isSafeInteger(lastSeq) || lastSeq < 0) return null;
  const leaf = { userId, lastSeq, headHash };
  // A leaf has only one valid text.
  return leafLine(leaf) === line ? leaf : null;
}

/** The leaves of a file in the order of their ids, with one line in memory at a time. @throws AnchorError */
export async function* leavesOf(path: string): AsyncGenerator<AnchorLeaf> {
  let [number, last, isOver] = [0, '', false];
  for await (const line of createInterface({ input: createReadStream(path) })) {
    number += 1;
    const wrong = (what: string): AnchorError =>
      new AnchorError(`${path}, line ${String(number)}: ${what}`);
    if (number === 1) {
      if (line !== FIRST_LINE) throw wrong('this is no file of an anchor.');
      continue;
    }
    if (isOver) throw wrong('something follows the statement.');
    if (line.startsWith('{')) {
      isOver = true;
      continue;
    }
    const leaf = leafOf(line);
    if (leaf === null) throw wrong('this is no account.');
    const { userId, lastSeq, headHash } = leaf;
    if (userId <= last) throw wrong('the accounts are not in the order of their ids.');
    if (lastSeq === 0 && headHash !== GENESIS)
      throw wrong('an account without history has a head.');
    last = userId;
    yield leaf;
  }
}

/** The limits of a batch, which bound memory and the duration of one statement. */
const ACCOUNTS_AT_ONCE = 2_000;
const TRANSACTIONS_AT_ONCE = 20_000;

/**
 * Groups leaves in their order. A batch has at most 2,000 accounts, and it ends with the account that brings it to
 * 20,000 transactions.
 */
export async function* batchesOf(leaves: AsyncIterable<AnchorLeaf>): AsyncGenerator<AnchorLeaf[]> {
  let [batch, transactions]: [AnchorLeaf[], number] = [[], 0];
  for await (const leaf of leaves) {
    batch.push(leaf);
    transactions += leaf.lastSeq;
    if (batch.length < ACCOUNTS_AT_ONCE && transactions < TRANSACTIONS_AT_ONCE) continue;
    yield batch;
    [batch, transactions] = [[], 0];
  }
  if (batch.length > 0) yield batch;
}

/** The index of an account's leaf in the tree, and the hashes that prove it (RFC 6962, section 2.1.1). */
export interface LeafProof {
  readonly leaf: AnchorLeaf;
  readonly index: number;
  readonly path: readonly string[];
}

/**
 * Builds the tree of a file again and compares it with the statement.
 * @param userId the account to prove
 * @returns the proof; null when the account is not in the file, or no account is given
 * @throws AnchorError
 */
export async function checkLeaves(
  path: string,
  statement: AnchorStatement,
  userId: string | null = null,
): Promise<LeafProof | null> {
  const found = userId === null ? null : await findLeaf(path, userId);
  const tree = createMerkleTree(found?.index ?? null);
  let transactions = 0;
  for await (const leaf of leavesOf(path)) {
    tree.add(leafData(leaf));
    transactions += leaf.lastSeq;
  }
  if (tree.size() !== statement.accounts || transactions !== statement.transactions)
    throw new AnchorError(
      `${path} has ${String(tree.size())} accounts with ${String(transactions)} transactions, but its statement was signed over ${String(statement.accounts)} with ${String(statement.transactions)}.`,
    );
  if (tree.root().toString('hex') !== statement.root)
    throw new AnchorError(
      `The accounts in ${path} are not those that its statement was signed over, because their tree has another root.`,
    );
  if (found === null) return null;
  return { ...found, path: tree.path().map((hash) => hash.toString('hex')) };
}

async function findLeaf(
  path: string,
  userId: string,
): Promise<{ leaf: AnchorLeaf; index: number } | null> {
  let index = 0;
  for await (const leaf of leavesOf(path)) {
    if (leaf.userId === userId) return { leaf, index };
    index += 1;
  }
  return null;
}
