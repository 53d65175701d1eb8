import type { CreditSource, LotPrice } from '../../../domain/ledger/lots.js';
import type { Window } from '../../../domain/paging.js';
import { Prisma, type Reader, type Tx } from '../../../infra/db.js';
import { byId, keysetOf } from '../../keyset.sql.js';

/** The proposed mutation. */
export type GrantCommand = 'GRANT_CREDITS' | 'BULK_GRANT_CREDITS' | 'SET_MONTHLY_CREDITS';
export type GrantDecision = 'APPROVED' | 'DECLINED';
export type GrantProposalState = 'PENDING' | GrantDecision | 'LAPSED';

/** A proposal as it is inserted. */
export interface NewGrantProposal {
  readonly id: string;
  readonly command: GrantCommand;
  /** Identifies the proposal for a repeated request. */
  readonly naturalKey: string;
  /** The caller's key. Null for an allowance, because `setMonthlyCredits` takes no key. */
  readonly idempotencyKey: string | null;
  /** The command that an approval carries out, as JSON. */
  readonly request: object;
  /** SHA-256 of the request. */
  readonly requestHash: Uint8Array;
  readonly points: number;
  /** The limit when it was proposed, in points. */
  readonly above: number;
  /** The number of users. */
  readonly recipientCount: number;
  readonly source: CreditSource;
  readonly expiresAt: Date | null;
  /** What has prices, for the audit entry. */
  readonly priced: readonly Partial<LotPrice>[];
  readonly reason: string;
  /** Null for a bulk grant. */
  readonly userId: string | null;
  readonly proposerId: string;
  readonly proposedAt: Date;
  readonly lapsesAt: Date;
}

/** A proposal with its present state. */
export interface GrantProposal extends Omit<
  NewGrantProposal,
  'naturalKey' | 'request' | 'requestHash' | 'priced'
> {
  readonly state: GrantProposalState;
  readonly deciderId: string | null;
  readonly decidedAt: Date | null;
  readonly decisionReason: string | null;
}

/** The state by the ledger's clock. A proposal has lapsed from the instant `lapses_at` on. */
const STATE = Prisma.sql`
  CASE WHEN p.decision IS NOT NULL THEN p.decision::text WHEN clock.now < p.lapses_at THEN 'PENDING' ELSE 'LAPSED' END`;
const CLOCK = Prisma.sql`(SELECT ledger_now() AS now OFFSET 0) clock`;
const COLUMNS = Prisma.sql`p.id, p.command::text, p.idempotency_key AS "idempotencyKey", p.points, p.above, p.recipients AS "recipientCount",
  p.source::text, p.expires_at AS "expiresAt", p.reason, p.user_id AS "userId", p.proposer_id AS "proposerId",
  p.proposed_at AS "proposedAt", p.lapses_at AS "lapsesAt", p.decider_id AS "deciderId", p.decided_at AS "decidedAt",
  p.decision_reason AS "decisionReason", ${STATE} AS state`;

/** The fields of an earlier proposal that determine the result of a repeated request. */
export interface KnownGrantProposal extends Pick<
  GrantProposal,
  'id' | 'points' | 'above' | 'state'
> {
  readonly naturalKey: string;
  readonly requestHash: Uint8Array;
}

/** The newest proposal of each key. Index: grant_proposals_natural_key_id_idx. */
export function readProposalsByKey(
  tx: Tx,
  naturalKeys: readonly string[],
): Promise<KnownGrantProposal[]> {
  return tx.$queryRaw<KnownGrantProposal[]>`
    SELECT p.natural_key AS "naturalKey", p.request_hash AS "requestHash", p.id, p.points, p.above, ${STATE} AS state
    FROM ${CLOCK}, unnest(${naturalKeys}::text[]) AS k(natural_key)
    CROSS JOIN LATERAL (
      SELECT * FROM grant_proposals g WHERE g.natural_key = k.natural_key ORDER BY g.id DESC LIMIT 1
    ) p`;
}

/**
 * Adds proposals. Waits for an uncommitted proposal with the same caller's key, and fails with a unique violation
 * (23505) once that one is committed.
 */
export async function insertProposals(
  tx: Tx,
  proposals: readonly NewGrantProposal[],
): Promise<void> {
  const rows = proposals.map(({ priced: _, ...proposal }) => ({
    ...proposal,
    requestHash: Buffer.from(proposal.requestHash).toString('hex'),
  }));
  await tx.$executeRaw`
    INSERT INTO grant_proposals (id, command, natural_key, idempotency_key, request, request_hash, points, above, recipients,
      source, expires_at, reason, user_id, proposer_id, proposed_at, lapses_at)
    SELECT id, command::grant_command, "naturalKey", "idempotencyKey", request, decode("requestHash", 'hex'), points, above,
      "recipientCount", source::credit_source, "expiresAt", reason, "userId", "proposerId", "proposedAt", "lapsesAt"
    FROM json_to_recordset(${JSON.stringify(rows)}::json) AS r(id uuid, command text, "naturalKey" text,
      "idempotencyKey" text, request jsonb, "requestHash" text, points int, above int, "recipientCount" int, source text,
      "expiresAt" timestamptz, reason text, "userId" uuid, "proposerId" uuid, "proposedAt" timestamptz, "lapsesAt" timestamptz)`;
}

/** A proposal whose row is locked. */
export interface HeldGrantProposal extends GrantProposal {
  readonly request: unknown;
  readonly requestHash: Uint8Array;
  /** The instant of the read, by the ledger's clock. */
  readonly now: Date;
}

/** Takes the row lock of a proposal, and then reads it. Index: grant_proposals_pkey. */
export async function holdProposal(tx: Tx, id: string): Promise<HeldGrantProposal | undefined> {
  await tx.$queryRaw`SELECT FROM grant_proposals WHERE id = ${id}::uuid FOR UPDATE`;
  const [row] = await tx.$queryRaw<HeldGrantProposal[]>`
    SELECT ${COLUMNS}, p.request, p.request_hash AS "requestHash", clock.now
    FROM grant_proposals p, ${CLOCK} WHERE p.id = ${id}::uuid`;
  return row;
}

/** Writes the decision of a proposal that `holdProposal` has locked. Index: grant_proposals_pkey. */
export async function writeDecision(
  tx: Tx,
  decided: { id: string; decision: GrantDecision; deciderId: string; reason: string; at: Date },
): Promise<void> {
  const { id, decision, deciderId, reason, at } = decided;
  await tx.$executeRaw`
    UPDATE grant_proposals SET decision = ${decision}::grant_decision, decider_id = ${deciderId}::uuid,
      decided_at = ${at}::timestamptz, decision_reason = ${reason}
    WHERE id = ${id}::uuid`;
}

/** Index: grant_proposals_pkey. */
export async function readProposal(db: Reader, id: string): Promise<GrantProposal | undefined> {
  const [row] = await db.$queryRaw<GrantProposal[]>`
    SELECT ${COLUMNS} FROM grant_proposals p, ${CLOCK} WHERE p.id = ${id}::uuid`;
  return row;
}

/**
 * Proposals, newest first. Indexes: grant_proposals_pkey, or grant_proposals_undecided for undecided proposals
 * alone.
 */
export function readProposals(
  db: Reader,
  { window, states }: { window: Window<string>; states: readonly GrantProposalState[] | null },
): Promise<GrantProposal[]> {
  const { within, page } = keysetOf(window, byId(Prisma.sql`p.id`, 'descending'));
  const undecided = states?.every((state) => state === 'PENDING' || state === 'LAPSED') === true;
  return db.$queryRaw<GrantProposal[]>`
    SELECT ${COLUMNS} FROM grant_proposals p, ${CLOCK}
    WHERE true
      ${undecided ? Prisma.sql`AND p.decision IS NULL` : Prisma.empty}
      ${states === null ? Prisma.empty : Prisma.sql`AND ${STATE} = ANY (${states}::text[])`}
      ${within}
    ${page}`;
}

/** Index: grant_proposals_pending. */
export async function countPendingProposals(db: Reader): Promise<number> {
  const [row] = await db.$queryRaw<{ count: number }[]>`
    SELECT count(*)::float8 AS count FROM grant_proposals p, ${CLOCK}
    WHERE p.decision IS NULL AND clock.now < p.lapses_at`;
  return row?.count ?? 0;
}

/** A recipient of a proposed grant. */
export interface ProposedRecipient {
  readonly userId: string;
  /** Points. */
  readonly amount: number;
  /** The price of all these points, in minor units of the currency. Price and currency are null for free points. */
  readonly priceMinor: number | null;
  readonly currency: string | null;
}

/** The hundred recipients of each proposal who get most, the largest amounts first. Index: grant_proposals_pkey. */
export function readRecipients(
  db: Reader,
  ids: readonly string[],
): Promise<{ id: string; recipients: ProposedRecipient[] }[]> {
  return db.$queryRaw`
    SELECT id, CASE
      WHEN user_id IS NULL THEN (
        SELECT jsonb_agg(row ORDER BY place) FROM (
          SELECT row, row_number() OVER (ORDER BY (row->>'amount')::int DESC, nth) AS place
          FROM jsonb_array_elements(request->'recipients') WITH ORDINALITY AS r(row, nth)
        ) ranked WHERE place <= 100)
      ELSE jsonb_build_array(jsonb_build_object('userId', user_id, 'amount', points,
        'priceMinor', request #> '{terms,priceMinor}', 'currency', request #> '{terms,currency}')) END AS recipients
    FROM grant_proposals WHERE id = ANY (${ids}::uuid[])`;
}
