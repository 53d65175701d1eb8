import {
  OperationTypeNode,
  responsePathAsArray,
  type GraphQLFieldResolver,
  type GraphQLResolveInfo,
} from 'graphql';
import type { Limit } from '../../domain/limits.js';
import { countAgainstLimit, tallyAgainstLimit, type Counted } from '../../services/limits.js';
import type { Context } from '../context.js';
import { countBelow, namesOf } from './selections.js';

type Middleware = (
  resolve: GraphQLFieldResolver<unknown, Context>,
  parent: unknown,
  args: object,
  context: Context,
  info: GraphQLResolveInfo,
) => Promise<unknown>;

/** Whom a field counts against. */
type Rule = (context: Context) => Counted | null;

/** Counts by client address, for fields that strangers may ask for. */
export const address =
  (limit: Limit): Rule =>
  ({ device }) => ({ limit, by: 'address', whose: device.ipAddress ?? 'unknown' });

/** Counts by account, from any address. A user who signs in with this request is not counted. */
export const account =
  (limit: Limit): Rule =>
  ({ viewer }) =>
    viewer === null ? null : { limit, by: 'account', whose: viewer.userId };

/**
 * Counts a mutation. Mutations run one after the other, and stop at the first that is refused. So all mutations of one name
 * are counted with the first of them, and each counts whether or not it runs.
 */
export const limited =
  (rule: Rule): Middleware =>
  async (resolve, parent, args, context, info) => {
    const counted = rule(context);
    if (counted !== null && !context.counted.has(info.fieldName)) {
      context.counted.add(info.fieldName);
      await countAgainstLimit(context.app, counted, namesOf(info).size);
    }
    return resolve(parent, args, context, info);
  };

const CREDIT_READS: readonly string[] = [
  'credits',
  'creditLots',
  'creditHistory',
  'creditStatement',
  'statement',
  'balanceAt',
  'series',
];

/**
 * Counts the reads of points in a query, or in one event of a subscription. All are counted with the first that is
 * resolved, because counting is the most expensive part of a request. Each place in the document counts once, however many
 * items a list has. Reads in the answer of a mutation are counted before it runs, because its answer must not be lost.
 */
export const creditReads: Middleware = async (resolve, parent, args, context, info) => {
  const counted = account('creditReads')(context);
  if (counted !== null && info.operation.operation !== OperationTypeNode.MUTATION) {
    const { creditReads: reads, app } = context;
    reads.tally ??= tallyAgainstLimit(
      app,
      counted,
      countBelow([info.operation], CREDIT_READS, info),
    );
    const place = placeOf(info);
    const before = reads.places.get(place) ?? reads.places.size;
    reads.places.set(place, before);
    const { within, refusal } = await reads.tally;
    if (refusal !== null && before >= within) throw refusal;
  }
  return resolve(parent, args, context, info);
};

const placeOf = ({ path }: GraphQLResolveInfo): string =>
  responsePathAsArray(path)
    .filter((part) => typeof part === 'string')
    .join('.');

/** Counts the reads of points in the answer of a mutation, before it is done. */
export const creditReadsInAnswer: Middleware = async (resolve, parent, args, context, info) => {
  const counted = account('creditReads')(context);
  const reads = countBelow(info.fieldNodes, CREDIT_READS, info);
  if (counted !== null && reads > 0) await countAgainstLimit(context.app, counted, reads);
  return resolve(parent, args, context, info);
};
