import { propertyOf } from '../../domain/objects.js';
import type { App } from '../app.js';
import { exportAccount } from '../reconciliation/export.js';
import { readLostHeads } from './compare.sql.js';
import { checkLeaves, readSigned } from './file.js';
import { AnchorError, openStatement, type AnchorKey } from './statement.js';

/**
 * A user's whole ledger as `exportAccount` gives it, with a proof that its history up to the anchor is under the signed
 * root: the index of its leaf, the hashes of the path to the root, the statement and its key.
 * @param anchor.keys the trusted keys
 * @throws AnchorError when the file is not valid, or the account's history differs from the anchor
 */
export async function* proveAccount(
  app: Pick<App, 'db'>,
  userId: string,
  anchor: { path: string; keys: readonly AnchorKey[] },
): AsyncGenerator<object> {
  const signed = await readSigned(anchor.path);
  const { statement, key } = await openStatement(signed, anchor.keys);
  const proof = await checkLeaves(anchor.path, statement, userId);
  if (proof === null)
    throw new AnchorError(
      `The anchor of ${statement.at} has no account of the user ${userId}: it was opened later.`,
    );
  const { leaf, index, path } = proof;
  if ((await readLostHeads(app.db, [leaf])).length > 0)
    throw new AnchorError(
      `The history of the user ${userId} is not the one that the anchor has: \`verify --anchor\` says more.`,
    );
  for await (const line of exportAccount(app, userId)) {
    yield line;
    if (propertyOf(line, 'kind') !== 'account') continue;
    yield {
      kind: 'proof',
      last_seq: leaf.lastSeq,
      head_hash: leaf.headHash,
      leaf_index: index,
      path,
      statement: signed,
      key: { ...key.publicJwk, kid: key.kid },
    };
  }
}
