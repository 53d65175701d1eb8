import type { UserId } from '../../src/domain/ids.js';

/**
 * The rules of the ledger once more, as simply as they can be said, for one account. Shares no code with
 * the server: what the two come to must be the same.
 */
export interface ModelLot {
  readonly id: string;
  readonly source: string;
  readonly priority: number;
  readonly granted: number;
  readonly grantedAt: number;
  readonly expiresAt: number | null;
  readonly parent: string | null;
  readonly price: { readonly priceMinor: number; readonly currency: string } | null;
  remaining: number;
  /** Points that lapsed on it. What a refund brings to a lapsed lot stays spent. */
  lapsed: number;
  /** Points that revocations took, without those that a refund brought. */
  takenBack: number;
  /** Its lapse was booked, whatever the clock says since. */
  swept: boolean;
  /** Revoked before it could lapse: then it is that which it died of. */
  forfeited: boolean;
  /** An administrator has said so, too late or not. */
  revoked: boolean;
}

type NewModelLot = Omit<
  ModelLot,
  'remaining' | 'lapsed' | 'takenBack' | 'swept' | 'revoked' | 'forfeited'
>;

export interface Movement {
  readonly type: string;
  readonly parts: [lotId: string, amount: number][];
  readonly effectiveAt: number;
}

/** A lot that a refund gives for one that lapsed; its id is not known before. */
export interface Grace {
  readonly parent: string;
  readonly amount: number;
  readonly expiresAt: number;
}

/** A real account beside its model. */
export interface ModelPair {
  readonly userId: UserId;
  readonly model: ModelAccount;
  seq: number;
  /** What the model says must be in the history since it was last compared. */
  expected: (Movement | { readonly grace: Grace; readonly source: string })[];
}

const DAY_MS = 86_400_000;

export class ModelAccount {
  readonly lots = new Map<string, ModelLot>();
  readonly debits = new Map<number, { at: number; parts: [string, number][]; open: boolean }>();

  lot(id: string): ModelLot {
    const lot = this.lots.get(id);
    if (lot === undefined) throw new Error(`There is no lot ${id}.`);
    return lot;
  }

  private hasLapsed(lot: ModelLot, at: number): boolean {
    return lot.expiresAt !== null && (lot.swept || lot.expiresAt <= at);
  }

  private spendable(at: number): ModelLot[] {
    return [...this.lots.values()]
      .filter((lot) => lot.remaining > 0 && !lot.revoked && !this.hasLapsed(lot, at))
      .sort((a, b) => {
        const key = (lot: ModelLot): [number, number, number] => [
          lot.priority,
          lot.expiresAt ?? Number.MAX_SAFE_INTEGER,
          lot.grantedAt,
        ];
        const [left, right] = [key(a), key(b)];
        const differing = left.findIndex((value, index) => value !== right[index]);
        return differing < 0
          ? a.id.localeCompare(b.id)
          : (left[differing] ?? 0) - (right[differing] ?? 0);
      });
  }

  balance(at: number): number {
    return this.spendable(at).reduce((sum, lot) => sum + lot.remaining, 0);
  }

  grant(lot: NewModelLot): Movement {
    this.lots.set(lot.id, {
      ...lot,
      remaining: lot.granted,
      lapsed: 0,
      takenBack: 0,
      swept: false,
      revoked: false,
      forfeited: false,
    });
    return { type: 'GRANT', parts: [[lot.id, lot.granted]], effectiveAt: lot.grantedAt };
  }

  /** Null when there is not enough. */
  debit(seq: number, amount: number, at: number): Movement | null {
    if (this.balance(at) < amount) return null;
    const parts: [string, number][] = [];
    let missing = amount;
    for (const lot of this.spendable(at)) {
      const taken = Math.min(lot.remaining, missing);
      if (taken === 0) break;
      lot.remaining -= taken;
      missing -= taken;
      parts.push([lot.id, -taken]);
    }
    this.debits.set(seq, { at, parts, open: true });
    return { type: 'DEBIT', parts, effectiveAt: at };
  }

  /** Nothing when it was given back before. */
  refund(seq: number, at: number): { movements: Movement[]; grace: Grace[] } {
    const debit = this.debits.get(seq);
    if (!debit?.open) return { movements: [], grace: [] };
    debit.open = false;
    const back = debit.parts.map(([id, taken]): [string, number] => [id, -taken]).reverse();
    const movements: Movement[] = [{ type: 'REFUND', parts: back, effectiveAt: at }];
    const grace: Grace[] = [];
    for (const [id, amount] of back) {
      const lot = this.lot(id);
      const parts: [string, number][] = [[id, -amount]];
      if (lot.forfeited) movements.push({ type: 'REVOCATION', parts, effectiveAt: at });
      else if (this.hasLapsed(lot, at) && lot.expiresAt !== null) {
        lot.swept = true;
        movements.push({ type: 'EXPIRY', parts, effectiveAt: lot.expiresAt });
        const left = Math.min(7 * DAY_MS, Math.max(DAY_MS, lot.expiresAt - debit.at));
        grace.push({ parent: id, amount, expiresAt: at + left });
      } else lot.remaining += amount;
    }
    return { movements, grace };
  }

  /** What the sweep books for a lot; null when there is nothing to book. */
  expire(id: string, at: number): Movement | null {
    const lot = this.lot(id);
    if (lot.remaining === 0 || lot.revoked || !this.hasLapsed(lot, at)) return null;
    const parts: [string, number][] = [[id, -lot.remaining]];
    lot.lapsed += lot.remaining;
    lot.remaining = 0;
    lot.swept = true;
    return { type: 'EXPIRY', parts, effectiveAt: lot.expiresAt ?? at };
  }

  revoke(id: string, at: number): Movement[] {
    const lot = this.lot(id);
    if (lot.revoked) return [];
    const lapse = this.expire(id, at);
    lot.revoked = true;
    lot.forfeited = !this.hasLapsed(lot, at);
    if (lapse !== null) return [lapse];
    if (lot.remaining === 0) return [];
    const parts: [string, number][] = [[id, -lot.remaining]];
    lot.takenBack += lot.remaining;
    lot.remaining = 0;
    return [{ type: 'REVOCATION', parts, effectiveAt: at }];
  }

  /** Null when less is left. */
  revokePart(id: string, amount: number, at: number): Movement | null {
    const lot = this.lot(id);
    if (lot.revoked || this.hasLapsed(lot, at) || lot.remaining < amount) return null;
    lot.remaining -= amount;
    lot.takenBack += amount;
    return { type: 'REVOCATION', parts: [[id, -amount]], effectiveAt: at };
  }
}
