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
} from 'graphql';

/** How much a document asks for, fragments written out. */
export interface Measure {
  /** Fields within fields. Introspection is not counted: GraphQL's own rules bound it. */
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
/** Fragments of fragments grow beyond all numbers. */
const COUNTLESS = 1_000_000_000;

interface Walk {
  readonly schema: GraphQLSchema;
  readonly variables: Readonly<Record<string, unknown>>;
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
      variables: { ...defaultsOf(definition), ...variables },
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
const defaultsOf = ({ variableDefinitions = [] }: OperationDefinitionNode): object =>
  Object.fromEntries(
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
  if (name === '__schema' || name === '__type') return { depth: 1, aliases: alias, cost: 1 };
  const field =
    isObjectType(parent) || isInterfaceType(parent) ? parent.getFields()[name] : undefined;
  const type = field === undefined ? undefined : getNamedType(field.type);
  const inside =
    node.selectionSet === undefined ? NOTHING : measureSelections(walk, node.selectionSet, type);
  const own = isCompositeType(type) ? 1 : 0;
  const times = field === undefined ? 1 : lengthOf(walk, node, field, parent);
  return {
    depth: 1 + inside.depth,
    aliases: alias + inside.aliases,
    cost: Math.min(COUNTLESS, times * (own + inside.cost)),
  };
}

/** How many of what a field leads to there may be. */
function lengthOf(
  { variables }: Walk,
  node: FieldNode,
  field: GraphQLField<unknown, unknown>,
  parent: Parent,
): number {
  if (field.args.some((argument) => argument.name === 'first')) {
    const size = node.arguments?.find(
      ({ name }) => name.value === 'first' || name.value === 'last',
    );
    if (size?.value.kind === Kind.INT) return within(Number(size.value.value));
    if (size?.value.kind === Kind.VARIABLE) return within(variables[size.value.name.value]);
    return PAGE.usual;
  }
  // The length of a connection is counted where its arguments stand.
  const counted = parent?.name.endsWith('Connection') === true;
  return isListType(getNullableType(field.type)) && !counted ? LIST_LENGTH : 1;
}

/** What is no size is refused by the field, or means the usual one. */
const within = (size: unknown): number =>
  typeof size === 'number' ? Math.min(PAGE.most, Math.max(0, size)) : PAGE.usual;
