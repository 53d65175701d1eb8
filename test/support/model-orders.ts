import { randomUUID } from 'node:crypto';
import { expect } from '@jest/globals';
import fc from 'fast-check';
import type { OpenApp } from '../../src/open-app.js';
import type { DomainError } from '../../src/domain/errors.js';
import type { UserId } from '../../src/domain/ids.js';
import type * as Decide from '../../src/services/credits/approvals/decide.js';
import type * as RevokeBulkGrant from '../../src/services/credits/bulk-revocation/revoke-bulk-grant.js';
import type * as BulkGrant from '../../src/services/credits/bulk-grant.js';
import type * as GrantCredits from '../../src/services/credits/grant-credits.js';
import type { TestDatabase } from './cluster.js';
import { outcome, patiently, PRIORITY_OF } from './commands.js';
import { compiled } from './compiled.js';
import type { ModelLot, ModelPair } from './model.js';

/** Points that an administrator may give on a day without an approval. */
export const APPROVAL_ABOVE = 60;
const HALF_HOUR_MS = 1_800_000;
const DAY_MS = 86_400_000;

const terms = {
  amount: fc.integer({ min: 1, max: 12 }),
  source: fc.constantFrom('EVENT' as const, 'REFERRAL' as const, 'ADD_ON' as const),
  halfHours: fc.integer({ min: 1, max: 900 }),
  priceMinor: fc.option(fc.integer({ min: 1, max: 999 })),
  key: fc.option(fc.nat(4), { freq: 2 }),
  differs: fc.nat(3).map((nat) => nat === 0),
  proposer: fc.nat(1),
};

/** What administrators do to several accounts, or to one with the approval of another administrator. */
export const orderArbitrary = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('bulk grant' as const),
      every: fc.integer({ min: 1, max: 4 }),
      ...terms,
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('approvable grant' as const),
      every: fc.nat(15),
      ...terms,
      // So that the sum of a day is often exactly the limit.
      amount: fc.constantFrom(20, 40, 60, 100),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('decide' as const),
      pick: fc.nat(),
      decider: fc.nat(1),
      approves: fc.integer({ min: 0, max: 2 }).map((nat) => nat > 0),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant('revoke bulk grant' as const), pick: fc.nat() }),
  },
);
export type Order = typeof orderArbitrary extends fc.Arbitrary<infer Value> ? Value : never;
type GrantOrder = Extract<Order, { kind: 'bulk grant' | 'approvable grant' }>;
type DecideOrder = Extract<Order, { kind: 'decide' }>;

/** A request under its key, and what has become of it. */
interface Placed {
  readonly isBulk: boolean;
  readonly key: string;
  readonly proposer: number;
  readonly recipients: readonly ModelPair[];
  readonly amount: number;
  readonly source: GrantOrder['source'];
  readonly expiresAt: number;
  readonly price: ModelLot['price'];
  readonly proposedAt: number;
  proposalId: string | null;
  state: 'PENDING' | 'DECLINED' | 'DONE';
  /** The lots by account, once there are some. */
  lots: readonly (readonly [ModelPair, string])[];
  /** The sums when all of the lots were revoked. */
  revocation: object | null;
}

/** The services that the orders go through. */
interface Services {
  readonly bulkGrantCredits: typeof BulkGrant.bulkGrantCredits;
  readonly grantCredits: typeof GrantCredits.grantCredits;
  readonly approveProposal: typeof Decide.approveProposal;
  readonly declineProposal: typeof Decide.declineProposal;
  readonly revokeBulkGrant: typeof RevokeBulkGrant.revokeBulkGrant;
}

/** The orders of two administrators, carried out by the server and by the model. */
export class ModelOrders {
  private readonly placed = new Map<string, Placed>();
  /** Points that count towards the limit, by administrator and day. */
  private readonly days = new Map<string, number>();

  private constructor(
    private readonly app: OpenApp,
    private readonly database: TestDatabase,
    private readonly administrators: readonly UserId[],
    private readonly services: Services,
  ) {}

  /** @param administrators two of them */
  static async open(
    app: OpenApp,
    database: TestDatabase,
    administrators: readonly UserId[],
  ): Promise<ModelOrders> {
    const credits = 'services/credits/';
    const services: Services = {
      ...(await compiled<typeof BulkGrant>(`${credits}bulk-grant.js`)),
      ...(await compiled<typeof GrantCredits>(`${credits}grant-credits.js`)),
      ...(await compiled<typeof Decide>(`${credits}approvals/decide.js`)),
      ...(await compiled<typeof RevokeBulkGrant>(`${credits}bulk-revocation/revoke-bulk-grant.js`)),
    };
    return new ModelOrders(app, database, administrators, services);
  }

  /** Forgets what was ordered for accounts that take no further part. The days of the administrators stay. */
  forget(): void {
    this.placed.clear();
  }

  /** Carries the order out, and expects of the server what the model says. */
  async carryOut(order: Order, pairs: readonly ModelPair[], clock: number): Promise<void> {
    if (order.kind === 'decide') await this.decide(order, clock);
    else if (order.kind === 'revoke bulk grant') await this.revoke(order.pick, clock);
    else await this.grant(order, pairs, clock);
  }

  private administrator(at: number): UserId {
    const id = this.administrators[at];
    if (id === undefined) throw new Error('There is no such administrator.');
    return id;
  }

  private async grant(
    order: GrantOrder,
    pairs: readonly ModelPair[],
    clock: number,
  ): Promise<void> {
    const isBulk = order.kind === 'bulk grant';
    const known = this.placed.get(`${order.kind} ${String(order.key)}`);
    const asked = known ?? {
      isBulk,
      key: randomUUID(),
      proposer: order.proposer,
      recipients: pairs.filter((_, at) => (isBulk ? at % order.every === 0 : at === order.every)),
      amount: order.amount,
      source: order.source,
      expiresAt: clock + order.halfHours * HALF_HOUR_MS,
      price: order.priceMinor === null ? null : { priceMinor: order.priceMinor, currency: 'EUR' },
      proposedAt: clock,
      proposalId: null,
      state: 'PENDING' as const,
      lots: [],
      revocation: null,
    };
    const isSame = known === undefined || !order.differs;
    const answer = await this.send(asked, asked.amount + (isSame ? 0 : 1));
    const expected = this.answerTo(asked, { isNew: known === undefined, isSame, clock });
    if (expected === 'APPROVAL_REQUIRED') {
      const proposalId = asked.proposalId ?? answer.proposalId;
      expect(answer).toMatchObject({ code: expected, proposalId: expect.any(String) });
      expect(answer.proposalId).toBe(proposalId);
      asked.proposalId = proposalId;
    } else expect(answer).toMatchObject({ code: expected });
    if (known === undefined)
      this.placed.set(`${order.kind} ${String(order.key ?? asked.key)}`, asked);
    if (expected === 'granted') {
      const day = this.dayOf(asked.proposer, clock);
      this.days.set(day, (this.days.get(day) ?? 0) + pointsOf(asked));
      await this.applyGrant(asked, clock);
    }
  }

  private dayOf(proposer: number, clock: number): string {
    return `${String(proposer)} ${new Date(clock).toISOString().slice(0, 10)}`;
  }

  /** What the rules say to a request. */
  private answerTo(
    asked: Placed,
    { isNew, isSame, clock }: { isNew: boolean; isSame: boolean; clock: number },
  ): string {
    if (isNew) {
      const today = this.days.get(this.dayOf(asked.proposer, clock)) ?? 0;
      return today + pointsOf(asked) > APPROVAL_ABOVE ? 'APPROVAL_REQUIRED' : 'granted';
    }
    if (asked.state === 'DONE') return isSame ? 'replayed' : 'IDEMPOTENCY_KEY_REUSED';
    // Until there are points under the key, the expiry is checked first.
    if (asked.expiresAt <= clock) return 'BAD_USER_INPUT';
    if (!isSame) return 'IDEMPOTENCY_KEY_REUSED';
    return asked.state === 'DECLINED' || hasLapsed(asked, clock) ? 'CONFLICT' : 'APPROVAL_REQUIRED';
  }

  /** Sends a request, and says what it came to. */
  private async send(
    asked: Placed,
    amount: number,
  ): Promise<{ code: string; proposalId: string | null }> {
    const { services, app } = this;
    const { source, key: idempotencyKey, recipients, price } = asked;
    const expiresAt = new Date(asked.expiresAt);
    const actorId = this.administrator(asked.proposer);
    const common = { source, expiresAt, reason: 'A test', idempotencyKey };
    const rows = recipients.map(({ userId }) => ({ userId, amount, ...price }));
    const [first] = rows;
    if (first === undefined) throw new Error('There is nobody to grant to.');
    try {
      const { replayed } = asked.isBulk
        ? await patiently(() => services.bulkGrantCredits(app, { ...common, rows }, actorId))
        : await patiently(() => services.grantCredits(app, { ...common, ...first }, actorId));
      return { code: replayed ? 'replayed' : 'granted', proposalId: null };
    } catch (error) {
      const { code, details } = error as Partial<DomainError>;
      if (code === undefined || code === 'INTERNAL') throw error;
      const proposalId = details?.['proposalId'];
      return { code, proposalId: typeof proposalId === 'string' ? proposalId : null };
    }
  }

  /** The lots are in the model as they must be in the ledger; only their ids are the ledger's. */
  private async applyGrant(asked: Placed, clock: number): Promise<void> {
    const { recipients, source, amount, expiresAt, price } = asked;
    const stored = await this.database.sql<{ user_id: string; lot_id: string }>(
      `SELECT t.user_id, a.lot_id FROM credit_transactions t
       JOIN credit_allocations a ON a.user_id = t.user_id AND a.seq = t.seq
       WHERE t.idempotency_key = $1 ORDER BY t.user_id`,
      [`${asked.isBulk ? 'bulk' : 'grant'}:${asked.key}`],
    );
    const lotOf = new Map(stored.map((row) => [row.user_id, row.lot_id]));
    expect([...lotOf.keys()].sort()).toEqual(recipients.map(({ userId }) => userId).sort());
    asked.lots = recipients.map((pair) => [pair, lotOf.get(pair.userId) ?? 'missing']);
    for (const [pair, id] of asked.lots) {
      pair.seq += 1;
      const priority = PRIORITY_OF[source];
      const lot = { id, source, priority, granted: amount, grantedAt: clock, expiresAt };
      pair.expected.push(pair.model.grant({ ...lot, parent: null, price }));
    }
    asked.state = 'DONE';
  }

  private async decide({ pick, decider, approves }: DecideOrder, clock: number): Promise<void> {
    const proposals = [...this.placed.values()].filter(({ proposalId }) => proposalId !== null);
    const asked = proposals[pick % Math.max(1, proposals.length)];
    const { approveProposal, declineProposal } = this.services;
    const decision = approves ? approveProposal : declineProposal;
    const id = asked?.proposalId ?? randomUUID();
    const answer = await outcome(
      patiently(() => decision(this.app, { id, reason: 'A test' }, this.administrator(decider))),
    );
    const refusal = refusalOf(asked, { decider, approves, clock });
    if (asked === undefined || refusal !== null) {
      expect(answer).toBe(refusal);
      return;
    }
    const wanted = approves ? 'DONE' : 'DECLINED';
    if (asked.state === wanted) {
      expect(answer).toMatchObject({ replayed: true });
      return;
    }
    const state = approves ? 'APPROVED' : 'DECLINED';
    expect(answer).toMatchObject({ replayed: false, proposal: { state } });
    // What was approved counts for neither day.
    if (approves) await this.applyGrant(asked, clock);
    asked.state = wanted;
  }

  private async revoke(pick: number, clock: number): Promise<void> {
    const grants = [...this.placed.values()].filter(({ isBulk }) => isBulk);
    const asked = grants[pick % Math.max(1, grants.length)];
    const input = { idempotencyKey: asked?.key ?? randomUUID(), reason: 'A test' };
    const answer = await outcome(
      patiently(() => this.services.revokeBulkGrant(this.app, input, this.administrator(0))),
    );
    if (asked?.state !== 'DONE') {
      expect(answer).toBe('NOT_FOUND');
      return;
    }
    if (asked.revocation !== null) {
      expect(answer).toEqual({ ...asked.revocation, replayed: true });
      return;
    }
    const sums = { accounts: asked.lots.length, granted: pointsOf(asked), revoked: 0 };
    const others = { spent: 0, lapsed: 0, revokedOtherwise: 0 };
    for (const [pair, lotId] of asked.lots) {
      const lot = pair.model.lot(lotId);
      others.revokedOtherwise += lot.takenBack;
      const movements = pair.model.revoke(lotId, clock);
      pair.seq += movements.length;
      pair.expected.push(...movements);
      for (const { type, parts } of movements)
        if (type === 'REVOCATION') sums.revoked -= parts[0]?.[1] ?? 0;
      others.lapsed += lot.lapsed;
    }
    others.spent = sums.granted - sums.revoked - others.lapsed - others.revokedOtherwise;
    asked.revocation = { ...sums, ...others };
    expect(answer).toEqual({ ...asked.revocation, replayed: false });
  }
}

const pointsOf = ({ amount, recipients }: Placed): number => amount * recipients.length;

const hasLapsed = ({ proposedAt }: Placed, clock: number): boolean =>
  clock >= proposedAt + 7 * DAY_MS;

/** Why a decision is refused; null when it is not. */
function refusalOf(
  asked: Placed | undefined,
  { decider, approves, clock }: { decider: number; approves: boolean; clock: number },
): string | null {
  if (asked === undefined) return 'NOT_FOUND';
  if (asked.proposer === decider) return 'FORBIDDEN';
  if (asked.state === (approves ? 'DONE' : 'DECLINED')) return null;
  if (asked.state !== 'PENDING' || hasLapsed(asked, clock)) return 'CONFLICT';
  return approves && asked.expiresAt <= clock ? 'BAD_USER_INPUT' : null;
}
