import { compactVerify, CompactSign, decodeProtectedHeader, importJWK, type JWK } from 'jose';
import { z } from 'zod';

/** The type of the token (RFC 8725, section 3.11), so that no other kind of token can be passed off as an anchor. */
const TYPE = 'talebank-anchor+jwt';
const ALGORITHM = 'EdDSA';
const ISSUER = 'talebank';

const count = z.int().min(0);
const sha256Hex = z.string().regex(/^[0-9a-f]{64}$/);

/** Points of one source in the histories up to the anchor. */
const totalOfSource = z.strictObject({
  source: z.string(),
  granted: count,
  debited: count,
  refunded: count,
  expired: count,
  revoked: count,
  outstanding: z.int(),
});

const statement = z.strictObject({
  iss: z.literal(ISSUER),
  /** UUID version 7. */
  id: z.uuid(),
  /** By the ledger's clock. */
  at: z.iso.datetime({ precision: 3 }),
  /** The number of leaves. */
  accounts: count,
  transactions: count,
  /** The root of the Merkle tree over all accounts. */
  root: sha256Hex,
  totals: z.array(totalOfSource),
  /** The last audit entry. */
  audit: z.strictObject({ seq: count, hash: sha256Hex }),
  /** The number of violations that the check of the whole ledger found just before. */
  violations: count,
});

/** The signed content of an anchor: a statement about the whole ledger at one instant. */
export type AnchorStatement = z.infer<typeof statement>;
export type SourceTotal = z.infer<typeof totalOfSource>;

export interface AnchorKey {
  readonly kid: string;
  readonly publicJwk: JWK;
  /** Anchors after this instant are refused. Null for a key that may still sign. */
  readonly retiredAt: Date | null;
}

/** The reason why a statement or its file is refused. The message is a sentence. */
export class AnchorError extends Error {}

/** @returns a compact JWS (RFC 7515) whose payload is the statement as JSON */
export async function signStatement(
  content: Omit<AnchorStatement, 'iss'>,
  { kid, privateJwk }: { kid: string; privateJwk: JWK },
): Promise<string> {
  const payload = JSON.stringify({ iss: ISSUER, ...content } satisfies AnchorStatement);
  return new CompactSign(Buffer.from(payload))
    .setProtectedHeader({ alg: ALGORITHM, typ: TYPE, kid })
    .sign(await importJWK(privateJwk, ALGORITHM));
}

/**
 * Verifies a signed statement.
 * @param keys the trusted keys; a key that comes with the statement is not trusted
 * @throws AnchorError
 */
export async function openStatement(
  signed: string,
  keys: readonly AnchorKey[],
): Promise<{ statement: AnchorStatement; key: AnchorKey }> {
  const key = keyOf(signed, keys);
  const { payload, protectedHeader } = await compactVerify(
    signed,
    await importJWK(key.publicJwk, ALGORITHM),
    { algorithms: [ALGORITHM] },
  ).catch((error: unknown) => {
    throw new AnchorError('The signature of the anchor does not fit its statement.', {
      cause: error,
    });
  });
  if (protectedHeader.typ !== TYPE)
    throw new AnchorError('What is signed is no anchor, because its type is another one.');
  const parsed = statement.safeParse(JSON.parse(Buffer.from(payload).toString('utf8')));
  if (!parsed.success)
    throw new AnchorError('What is signed is no anchor of a form that is known here.');
  const { at } = parsed.data;
  if (key.retiredAt !== null && new Date(at) > key.retiredAt)
    throw new AnchorError(
      `The anchor says that it is of ${at}, but its key ${key.kid} signs nothing since ${key.retiredAt.toISOString()}.`,
    );
  return { statement: parsed.data, key };
}

/**
 * The content of a statement without verifying it, for statements that were verified before or are our own. @throws
 * AnchorError
 */
export function peekStatement(signed: string): AnchorStatement {
  try {
    const payload = Buffer.from(signed.split('.')[1] ?? '', 'base64url').toString('utf8');
    return statement.parse(JSON.parse(payload));
  } catch (error) {
    throw new AnchorError('The statement of the anchor cannot be read.', { cause: error });
  }
}

function keyOf(signed: string, keys: readonly AnchorKey[]): AnchorKey {
  let kid: string | undefined;
  try {
    ({ kid } = decodeProtectedHeader(signed));
  } catch (error) {
    throw new AnchorError('The statement of the anchor is not a signed one.', { cause: error });
  }
  const key = keys.find((one) => one.kid === kid);
  if (key === undefined)
    throw new AnchorError(
      `The anchor is signed with the key ${String(kid)}, which is not one of the trusted keys: ${keys.map((one) => one.kid).join(', ') || 'there are none'}.`,
    );
  return key;
}
