import { Field, Float, ID, Int, ObjectType } from 'type-graphql';
import type { UnfinishedBulkGrant } from '../../services/credits/bulk-grant-orders.js';
import type { UnfinishedBulkRevocation } from '../../services/credits/bulk-revocation/bulk-revocation-orders.js';
import type { KnownHealth } from '../../services/ledger-health/ledger-health.js';
import type {
  LedgerCheck,
  ReconciliationSummary,
} from '../../services/reconciliation/reconcile.js';
import { SafeIntScalar } from '../scalars.js';

type Order = Omit<UnfinishedBulkRevocation, 'reason'>;

@ObjectType('LedgerCheck', { description: 'The result of checking one invariant of the ledger.' })
class LedgerCheckType implements LedgerCheck {
  @Field(() => String, { description: 'The number of the invariant in the documentation.' })
  invariant!: string;

  @Field(() => String, { description: 'The condition that must be true.' })
  description!: string;

  @Field(() => SafeIntScalar, {
    description: 'The number of violations that were found.',
  })
  violations!: number;

  @Field(() => [String], {
    description:
      'The first violations, at most 10, with the ids of the user, lot, transaction, narration or audit entry.',
  })
  sample!: string[];
}

/** What unfinished bulk grants and unfinished revocations of them have in common. */
@ObjectType()
abstract class UnfinishedOrder implements Order {
  @Field(() => String, { description: 'The idempotency key of the bulk grant.' })
  idempotencyKey!: string;

  @Field(() => Date, { description: 'When it was requested.' })
  placedAt!: Date;

  @Field(() => ID, { description: 'The id of the administrator who requested it.' })
  actorId!: string;
}

@ObjectType('UnfinishedBulkGrant', {
  description:
    'A bulk grant that is in progress or was interrupted. A job finishes an interrupted bulk grant, usually within about a minute if a worker is running. A repeated request with the same key also finishes it.',
})
export class UnfinishedBulkGrantType extends UnfinishedOrder implements UnfinishedBulkGrant {
  @Field(() => String, {
    nullable: true,
    description:
      'The reason. Null for a request to an earlier release of the server, which only a repeated request with the same key can finish.',
  })
  reason!: string | null;

  @Field(() => Int, {
    nullable: true,
    description:
      'The number of users who receive points. Null for a request to an earlier release of the server.',
  })
  recipients!: number | null;
}

@ObjectType('UnfinishedBulkRevocation', {
  description:
    'A revocation of a bulk grant that is in progress or was interrupted. A job finishes an interrupted revocation, usually within about a minute if a worker is running. A repeated request also finishes it.',
})
export class UnfinishedBulkRevocationType
  extends UnfinishedOrder
  implements UnfinishedBulkRevocation
{
  @Field(() => String, { description: 'The reason.' })
  reason!: string;
}

@ObjectType('LedgerReconciliation', {
  description:
    'What the last reconciliation found and repaired. A reconciliation is a check of the whole ledger by the nightly task, by `runMaintenance` or by the operator.',
})
export class LedgerReconciliationType implements ReconciliationSummary {
  @Field(() => Date, { description: 'When it was made.' })
  checkedAt!: Date;

  @Field(() => SafeIntScalar, {
    description:
      'The number of violations of invariants that it found, including those that it repaired.',
  })
  violationsFound!: number;

  @Field(() => Int, {
    description:
      'The number of lots whose remaining points it set to the sum of their allocations, because the stored number was wrong. The audit log has an entry `repairLot` for each. Transactions are never changed.',
  })
  repairedLots!: number;
}

@ObjectType('LedgerHealth', { description: 'The result of the last check of the whole ledger.' })
export class LedgerHealthType implements Omit<KnownHealth, 'violationsFound' | 'repairedLots'> {
  @Field(() => Boolean, {
    description:
      'Whether no invariant was violated. Also false if the ledger was never checked. Then `checks` is empty and `checkedSecondsAgo` is null.',
  })
  ok!: boolean;

  @Field(() => Date, {
    description:
      'When the ledger was checked. This is the current time if the ledger was checked during this request, or if it was never checked.',
  })
  checkedAt!: Date;

  @Field(() => Float, {
    nullable: true,
    description: 'The time since the check, in seconds. Null if the ledger was never checked.',
  })
  checkedSecondsAgo!: number | null;

  @Field(() => Boolean, {
    description:
      'Whether a check of the whole ledger is running or is waiting for a worker. If a large ledger was never checked, the query starts a check.',
  })
  isChecking!: boolean;

  @Field(() => Int, { description: 'The number of accounts that were checked.' })
  accounts!: number;

  @Field(() => SafeIntScalar, { description: 'The number of transactions of these accounts.' })
  transactions!: number;

  @Field(() => SafeIntScalar, {
    description:
      'The number of transactions that were read. Transactions before a checkpoint are not read again, because an earlier check found no violations in them and the hash of the checkpoint still matches.',
  })
  transactionsRead!: number;

  @Field(() => Boolean, { description: 'Whether all transactions were read.' })
  isFull!: boolean;

  @Field(() => Float, {
    nullable: true,
    description:
      'The time since the last check that read all transactions, in seconds. Such a check runs once a week. Null if there was none.',
  })
  fullyCheckedSecondsAgo!: number | null;

  @Field(() => [LedgerCheckType], {
    description: 'The result for each invariant, whether it was violated or not.',
  })
  checks!: LedgerCheck[];
}
