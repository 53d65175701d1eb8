import {
  getNamedType,
  isCompositeType,
  isInterfaceType,
  isObjectType,
  Kind,
  OperationTypeNode,
  type DocumentNode,
  type FieldNode,
  type FragmentDefinitionNode,
  type FragmentSpreadNode,
  type GraphQLNamedType,
  type GraphQLSchema,
  type OperationDefinitionNode,
  type SelectionNode,
  type SelectionSetNode,
} from 'graphql';
import { defaultSizes, lengthOf, type Sizes } from './list-lengths.js';

/** How much a document asks for, fragments written out. */
export interface Measure {
  /** Fields within fields. Those of introspection are not counted: GraphQL's own rules bound them. */
  readonly depth: number;
  /** Fields under another name than their own. */
  readonly aliases: number;
  /**
   * Fields that stand in one selection more than once under the same name. Validation compares each with each, so
   * that its time grows with their square.
   */
  readonly repetitions: number;
  /** Objects that it may lead to: a page counts as many times as it is long, another list a few times. */
  readonly cost: number;
  /** Leaf fields of those objects. */
  readonly values: number;
  /**
   * UTF-16 code units that the answer may have. Only mutations and subscriptions are measured in advance, because
   * they must not do their work and lose its answer. The answer of a query is measured itself: it is 0 here.
   */
  readonly characters: number;
}

const NOTHING: Measure = {
  depth: 0,
  aliases: 0,
  repetitions: 0,
  cost: 0,
  values: 0,
  characters: 0,
};
/** Expensive leaf fields. The bound of the cost allows the texts of one page of stories. */
const HEAVY: Readonly<Record<string, number>> = { 'Story.content': 90, 'Audio.content': 90 };
/** How long a leaf may be: the longest text that is accepted for it, or enough for an id, a date or a name. */
const LENGTHS: Readonly<Record<string, number>> = {
  'Audio.content': 200_000,
  'Bookmark.note': 500,
  'FailedJob.error': 500,
  'Story.content': 200_000,
  'Story.coverUrl': 2000,
  'Story.description': 1000,
};
const LENGTH_USUAL = 100;
/** All types with all their fields: twice in a document is plenty. */
const WHOLE_SCHEMA = 4000;
/** Measures stop here, because nested fragments grow exponentially. */
const COUNTLESS = 1_000_000_000;

interface Walk {
  readonly schema: GraphQLSchema;
  readonly sizes: Sizes;
  readonly fragments: ReadonlyMap<string, FragmentDefinitionNode>;
  /**
   * Each fragment is measured once for all operations of the document, so that the time depends on the length of the
   * text alone.
   */
  readonly measured: Map<string, MeasuredFragment>;
}

interface MeasuredFragment {
  readonly measure: Measure;
  readonly names: SelectedNames;
}

/** The names under which fields stand in a selection, and whether there are fields below them. */
type SelectedNames = Map<string, boolean>;

type Parent = GraphQLNamedType | undefined;

/**
 * Measures a document, which need not be valid.
 * @param variables as they were sent, not coerced
 * @returns of each measure the greatest that one of its operations has
 */
export function measureDocument(
  schema: GraphQLSchema,
  document: DocumentNode,
  variables: Readonly<Record<string, unknown>>,
): Measure {
  const operations = document.definitions.filter(
    (definition) => definition.kind === Kind.OPERATION_DEFINITION,
  );
  const walk: Walk = {
    schema,
    sizes: { variables, defaults: defaultSizes(operations) },
    fragments: new Map(
      document.definitions
        .filter((definition) => definition.kind === Kind.FRAGMENT_DEFINITION)
        .map((fragment) => [fragment.name.value, fragment]),
    ),
    measured: new Map(),
  };
  return operations.map((operation) => measureOperation(walk, operation)).reduce(greater, NOTHING);
}

function measureOperation(
  walk: Walk,
  { operation, selectionSet }: OperationDefinitionNode,
): Measure {
  const root = walk.schema.getRootType(operation) ?? undefined;
  const measure = measureSelections(walk, selectionSet, root);
  return operation === OperationTypeNode.QUERY ? { ...measure, characters: 0 } : measure;
}

const greater = (one: Measure, other: Measure): Measure => ({
  depth: Math.max(one.depth, other.depth),
  aliases: Math.max(one.aliases, other.aliases),
  repetitions: Math.max(one.repetitions, other.repetitions),
  cost: Math.max(one.cost, other.cost),
  values: Math.max(one.values, other.values),
  characters: Math.max(one.characters, other.characters),
});

/** One beside the other in the same selection. */
const together = (one: Measure, other: Measure): Measure => ({
  depth: Math.max(one.depth, other.depth),
  aliases: Math.min(COUNTLESS, one.aliases + other.aliases),
  repetitions: Math.min(COUNTLESS, one.repetitions + other.repetitions),
  cost: Math.min(COUNTLESS, one.cost + other.cost),
  values: Math.min(COUNTLESS, one.values + other.values),
  characters: Math.min(COUNTLESS, one.characters + other.characters),
});

function measureSelections(
  walk: Walk,
  { selections }: SelectionSetNode,
  parent: Parent,
  names: SelectedNames = new Map(),
): Measure {
  let whole = NOTHING;
  for (const selection of selections)
    whole = together(whole, measureSelection(walk, selection, parent, names));
  return whole;
}

/** @param names of the fields that stand in this selection already, those of its fragments included */
function measureSelection(
  walk: Walk,
  selection: SelectionNode,
  parent: Parent,
  names: SelectedNames,
): Measure {
  if (selection.kind === Kind.FRAGMENT_SPREAD) return measureSpread(walk, selection, names);
  if (selection.kind === Kind.INLINE_FRAGMENT) {
    const type = typeNamed(walk, selection.typeCondition?.name.value) ?? parent;
    return measureSelections(walk, selection.selectionSet, type, names);
  }
  const name = (selection.alias ?? selection.name).value;
  const measure = measureField(walk, selection, parent);
  if (!names.has(name)) {
    names.set(name, selection.selectionSet !== undefined);
    return measure;
  }
  return { ...measure, repetitions: measure.repetitions + 1 };
}

/** Fields without fields below them are not counted here, because many fragments select an id, at little cost. */
function measureSpread(walk: Walk, spread: FragmentSpreadNode, names: SelectedNames): Measure {
  const fragment = measureFragment(walk, spread.name.value);
  let { repetitions } = fragment.measure;
  for (const [name, hasFields] of fragment.names) {
    if (!hasFields) continue;
    if (names.has(name)) repetitions += 1;
    names.set(name, true);
  }
  return { ...fragment.measure, repetitions };
}

const typeNamed = ({ schema }: Walk, name: string | undefined): Parent =>
  name === undefined ? undefined : schema.getType(name);

const NO_FRAGMENT: MeasuredFragment = { measure: NOTHING, names: new Map() };

function measureFragment(walk: Walk, name: string): MeasuredFragment {
  const known = walk.measured.get(name);
  if (known !== undefined) return known;
  const fragment = walk.fragments.get(name);
  if (fragment === undefined) return NO_FRAGMENT;
  // One that contains itself is refused when the document is validated.
  walk.measured.set(name, NO_FRAGMENT);
  const parent = typeNamed(walk, fragment.typeCondition.name.value);
  const names: SelectedNames = new Map();
  const measure = measureSelections(walk, fragment.selectionSet, parent, names);
  const measured = { measure, names };
  walk.measured.set(name, measured);
  return measured;
}

function measureField(walk: Walk, node: FieldNode, parent: Parent): Measure {
  const name = node.name.value;
  const alias = node.alias === undefined ? 0 : 1;
  if (name === '__schema' || name === '__type') return measureIntrospection(walk, node);
  const field =
    isObjectType(parent) || isInterfaceType(parent) ? parent.getFields()[name] : undefined;
  const type = field === undefined ? undefined : getNamedType(field.type);
  const inside =
    node.selectionSet === undefined ? NOTHING : measureSelections(walk, node.selectionSet, type);
  const path = `${parent?.name ?? ''}.${name}`;
  const own = isCompositeType(type) ? { cost: 1, values: 0, characters: 0 } : leafAt(path);
  const times = field === undefined ? 1 : lengthOf(walk.sizes, node, field, parent?.name ?? '');
  const timesEach = (what: 'cost' | 'values' | 'characters'): number =>
    Math.min(COUNTLESS, times * (own[what] + inside[what]));
  return {
    depth: 1 + inside.depth,
    aliases: alias + inside.aliases,
    repetitions: inside.repetitions,
    cost: timesEach('cost'),
    values: timesEach('values'),
    characters: timesEach('characters'),
  };
}

const leafAt = (path: string): Pick<Measure, 'cost' | 'values' | 'characters'> => ({
  cost: HEAVY[path] ?? 0,
  values: 1,
  characters: LENGTHS[path] ?? LENGTH_USUAL,
});

/** Introspection may have any depth, but its cost is multiplied by its aliases. */
function measureIntrospection(walk: Walk, { name, alias, selectionSet }: FieldNode): Measure {
  const inside =
    selectionSet === undefined ? NOTHING : measureSelections(walk, selectionSet, undefined);
  const own = name.value === '__schema' ? WHOLE_SCHEMA : 1;
  return {
    ...NOTHING,
    depth: 1,
    aliases: (alias === undefined ? 0 : 1) + inside.aliases,
    repetitions: inside.repetitions,
    cost: Math.min(COUNTLESS, own * (1 + inside.aliases)),
  };
}
