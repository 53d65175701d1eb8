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

/** For what strangers may ask: whoever asks from there. */
export const address =
  (limit: Limit): Rule =>
  ({ device }) => ({ limit, by: 'address', whose: device.ipAddress ?? 'unknown' });

/** For the signed-in: their account, from wherever they ask. Who signs in with this very request is not counted. */
export const account =
  (limit: Limit): Rule =>
  ({ viewer }) =>
    viewer === null ? null : { limit, by: 'account', whose: viewer.userId };

/**
 * Counts a mutation. They run one after the other and end with the first that is refused: all of the same name are
 * counted with the first, so that many count as many whatever comes of them.
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

const CREDIT_READS: readonly string[] = ['credits', 'creditLots', 'creditHistory', 'balanceAt'];

/**
 * All of a query, or of an event of a subscription, are counted with the first that is resolved, for counting costs
 * more than all else that a request pays: once for each place where one stands in the document, however often a list
 * leads there. Those in the answer of a mutation are counted before it: once it is done its answer must not be lost.
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
