import {
  getNullableType,
  isListType,
  Kind,
  type FieldNode,
  type GraphQLField,
  type OperationDefinitionNode,
  type ValueNode,
} from 'graphql';

import { SENTENCES_MAX, WORDS_A_SENTENCE } from '../../services/narrations/timeline/sentences.js';

/** As `first` and `last` have it. */
const PAGE = { usual: 20, most: 100 };
const LIST_LENGTH = 3;
/** The maximum lengths of lists without pages that can be longer than LIST_LENGTH. */
const LIST_LENGTHS: Readonly<Record<string, number>> = {
  'Query.voices': 100,
  'Audio.sentences': SENTENCES_MAX,
  'SpokenSentence.words': WORDS_A_SENTENCE,
  'User.sessions': 100,
  'Settings.languages': 100,
  'Settings.tags': 100,
  'Story.tags': 10,
  'Credits.series': 400,
  'GrantProposal.recipients': 100,
  'BulkGrantPayload.recipients': 100,
  'Query.creditSeries': 53,
};

/** What decides how long a page may be. */
export interface Sizes {
  /** The variables that were sent. A size that was not sent is the greatest default among the operations. */
  readonly variables: Readonly<Record<string, unknown>>;
  readonly defaults: ReadonlyMap<string, number>;
}

/** The default values of variables that may be page sizes. If several have one name, the greatest counts. */
export function defaultSizes(
  operations: readonly OperationDefinitionNode[],
): ReadonlyMap<string, number> {
  const sizes = new Map<string, number>();
  for (const { variableDefinitions = [] } of operations)
    for (const { variable, defaultValue } of variableDefinitions)
      if (defaultValue?.kind === Kind.INT) {
        const name = variable.name.value;
        sizes.set(name, Math.max(sizes.get(name) ?? 0, Number(defaultValue.value)));
      }
  return sizes;
}

/**
 * The greatest number of values that a field may lead to.
 * @param parent the name of the type that has the field
 */
export function lengthOf(
  sizes: Sizes,
  node: FieldNode,
  field: GraphQLField<unknown, unknown>,
  parent: string,
): number {
  if (field.args.some((argument) => argument.name === 'first')) {
    const given = (node.arguments ?? [])
      .filter(({ name }) => name.value === 'first' || name.value === 'last')
      .map(({ value }) => sizeOf(sizes, value))
      .filter((size) => size !== null);
    return given.length === 0 ? PAGE.usual : Math.max(...given);
  }
  // The length of a connection is counted where its arguments stand.
  const counted = parent.endsWith('Connection');
  if (!isListType(getNullableType(field.type)) || counted) return 1;
  return LIST_LENGTHS[`${parent}.${field.name}`] ?? LIST_LENGTH;
}

/** @returns null for what is no size: it is refused by the field, or means the usual one */
function sizeOf({ variables, defaults }: Sizes, value: ValueNode): number | null {
  if (value.kind === Kind.INT) return within(Number(value.value));
  if (value.kind !== Kind.VARIABLE) return null;
  const name = value.name.value;
  const given = Object.hasOwn(variables, name) ? variables[name] : defaults.get(name);
  return typeof given === 'number' ? within(given) : null;
}

/** At least one, because the selection of an empty page is processed all the same before the page is refused. */
const within = (size: number): number => Math.min(PAGE.most, Math.max(1, size));
