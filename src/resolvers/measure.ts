import {
  getNamedType,
  getNullableType,
  isCompositeType,
  isInterfaceType,
  isListType,
  isObjectType,
  Kind,
  type DocumentNode,
  type FieldNode,
  type FragmentDefinitionNode,
  type GraphQLField,
  type GraphQLNamedType,
  type GraphQLSchema,
  type OperationDefinitionNode,
  type SelectionSetNode,
  type ValueNode,
} from 'graphql';

/** How much a document asks for, fragments written out. */
export interface Measure {
  /** Fields within fields. Those of introspection are not counted: GraphQL's own rules bound them. */
  readonly depth: number;
  /** Fields under another name than their own. */
  readonly aliases: number;
  /** Objects that it may lead to: a page counts as many times as it is long, another list a few times. */
  readonly cost: number;
}

const NOTHING: Measure = { depth: 0, aliases: 0, cost: 0 };
/** As `first` and `last` have it. */
const PAGE = { usual: 20, most: 100 };
const LIST_LENGTH = 3;
/** What is no object and yet heavy: the words of one page of stories at a time. */
const HEAVY: Readonly<Record<string, number>> = { 'Story.content': 90 };
/** All types with all their fields: twice in a document is plenty. */
const WHOLE_SCHEMA = 4000;
/** Fragments of fragments grow beyond all numbers. */
const COUNTLESS = 1_000_000_000;

interface Walk {
  readonly schema: GraphQLSchema;
  /** What was sent along; a size that was not is the operation's own. */
  readonly variables: Readonly<Record<string, unknown>>;
  readonly presets: ReadonlyMap<string, number>;
  readonly fragments: ReadonlyMap<string, FragmentDefinitionNode>;
  /** Each fragment is measured once, so that the time depends on the length of the text alone. */
  readonly measured: Map<string, Measure>;
}

type Parent = GraphQLNamedType | undefined;

/** The measure of the greatest operation of a document, which need not be valid. */
export function measureDocument(
  schema: GraphQLSchema,
  document: DocumentNode,
  variables: Readonly<Record<string, unknown>>,
): Measure {
  const fragments = document.definitions.filter(
    (definition) => definition.kind === Kind.FRAGMENT_DEFINITION,
  );
  const byName = new Map(fragments.map((fragment) => [fragment.name.value, fragment]));
  let greatest = NOTHING;
  for (const definition of document.definitions) {
    if (definition.kind !== Kind.OPERATION_DEFINITION) continue;
    const walk: Walk = {
      schema,
      variables,
      presets: presetsOf(definition),
      fragments: byName,
      measured: new Map(),
    };
    const root = schema.getRootType(definition.operation) ?? undefined;
    const { depth, aliases, cost } = measureSelections(walk, definition.selectionSet, root);
    greatest = {
      depth: Math.max(greatest.depth, depth),
      aliases: Math.max(greatest.aliases, aliases),
      cost: Math.max(greatest.cost, cost),
    };
  }
  return greatest;
}

/** The sizes of pages that an operation gives itself. */
const presetsOf = ({
  variableDefinitions = [],
}: OperationDefinitionNode): ReadonlyMap<string, number> =>
  new Map(
    variableDefinitions.flatMap(({ variable, defaultValue }) =>
      defaultValue?.kind === Kind.INT ? [[variable.name.value, Number(defaultValue.value)]] : [],
    ),
  );

function measureSelections(walk: Walk, { selections }: SelectionSetNode, parent: Parent): Measure {
  let [depth, aliases, cost] = [0, 0, 0];
  for (const selection of selections) {
    const part =
      selection.kind === Kind.FIELD
        ? measureField(walk, selection, parent)
        : selection.kind === Kind.FRAGMENT_SPREAD
          ? measureFragment(walk, selection.name.value)
          : measureSelections(
              walk,
              selection.selectionSet,
              typeNamed(walk, selection.typeCondition?.name.value) ?? parent,
            );
    depth = Math.max(depth, part.depth);
    aliases = Math.min(COUNTLESS, aliases + part.aliases);
    cost = Math.min(COUNTLESS, cost + part.cost);
  }
  return { depth, aliases, cost };
}

const typeNamed = ({ schema }: Walk, name: string | undefined): Parent =>
  name === undefined ? undefined : schema.getType(name);

function measureFragment(walk: Walk, name: string): Measure {
  const known = walk.measured.get(name);
  if (known !== undefined) return known;
  const fragment = walk.fragments.get(name);
  if (fragment === undefined) return NOTHING;
  // One that contains itself is refused when the document is validated.
  walk.measured.set(name, NOTHING);
  const parent = typeNamed(walk, fragment.typeCondition.name.value);
  const measure = measureSelections(walk, fragment.selectionSet, parent);
  walk.measured.set(name, measure);
  return measure;
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
  const own = isCompositeType(type) ? 1 : (HEAVY[`${parent?.name ?? ''}.${name}`] ?? 0);
  const times = field === undefined ? 1 : lengthOf(walk, node, field, parent);
  return {
    depth: 1 + inside.depth,
    aliases: alias + inside.aliases,
    cost: Math.min(COUNTLESS, times * (own + inside.cost)),
  };
}

/** It may go as deep as it likes, but not tell the same again under many names. */
function measureIntrospection(walk: Walk, { name, alias, selectionSet }: FieldNode): Measure {
  const inside =
    selectionSet === undefined ? NOTHING : measureSelections(walk, selectionSet, undefined);
  const own = name.value === '__schema' ? WHOLE_SCHEMA : 1;
  return {
    depth: 1,
    aliases: (alias === undefined ? 0 : 1) + inside.aliases,
    cost: Math.min(COUNTLESS, own * (1 + inside.aliases)),
  };
}

/** How many of what a field leads to there may be. */
function lengthOf(
  walk: Walk,
  node: FieldNode,
  field: GraphQLField<unknown, unknown>,
  parent: Parent,
): number {
  if (field.args.some((argument) => argument.name === 'first')) {
    const sizes = (node.arguments ?? [])
      .filter(({ name }) => name.value === 'first' || name.value === 'last')
      .map(({ value }) => sizeOf(walk, value))
      .filter((size) => size !== null);
    return sizes.length === 0 ? PAGE.usual : Math.max(...sizes);
  }
  // The length of a connection is counted where its arguments stand.
  const counted = parent?.name.endsWith('Connection') === true;
  return isListType(getNullableType(field.type)) && !counted ? LIST_LENGTH : 1;
}

/** @returns null for what is no size: it is refused by the field, or means the usual one */
function sizeOf({ variables, presets }: Walk, value: ValueNode): number | null {
  if (value.kind === Kind.INT) return within(Number(value.value));
  if (value.kind !== Kind.VARIABLE) return null;
  const name = value.name.value;
  const given = Object.hasOwn(variables, name) ? variables[name] : presets.get(name);
  return typeof given === 'number' ? within(given) : null;
}

const within = (size: number): number => Math.min(PAGE.most, Math.max(0, size));
