import {
  getDirectiveValues,
  GraphQLIncludeDirective,
  GraphQLSkipDirective,
  Kind,
  type FieldNode,
  type GraphQLResolveInfo,
  type SelectionNode,
  type SelectionSetNode,
} from 'graphql';

/** What is asked for: the fragments, and the variables that leave parts of it out. */
type Asked = Pick<GraphQLResolveInfo, 'fragments' | 'variableValues'>;

/** The fields of a selection and of its fragments. Each fragment is visited once, because a second visit adds nothing. */
function* fieldsOf(
  { selections }: SelectionSetNode,
  asked: Asked,
  seen = new Set<string>(),
): Generator<FieldNode> {
  for (const selection of selections) {
    if (isLeftOut(selection, asked)) continue;
    if (selection.kind === Kind.FIELD) yield selection;
    else if (selection.kind === Kind.INLINE_FRAGMENT)
      yield* fieldsOf(selection.selectionSet, asked, seen);
    else if (!seen.has(selection.name.value)) {
      seen.add(selection.name.value);
      const fragment = asked.fragments[selection.name.value];
      if (fragment !== undefined) yield* fieldsOf(fragment.selectionSet, asked, seen);
    }
  }
}

/** Whether @skip or @include says so. */
const isLeftOut = (selection: SelectionNode, { variableValues }: Asked): boolean =>
  getDirectiveValues(GraphQLSkipDirective, selection, variableValues)?.['if'] === true ||
  getDirectiveValues(GraphQLIncludeDirective, selection, variableValues)?.['if'] === false;

/** The names under which the operation asks for this field of the mutation. */
export function namesOf(info: GraphQLResolveInfo): ReadonlySet<string> {
  const fields = [...fieldsOf(info.operation.selectionSet, info)];
  return new Set(
    fields
      .filter(({ name }) => name.value === info.fieldName)
      .map(({ alias, name }) => (alias ?? name).value),
  );
}

/** Counts the places of wanted fields below these nodes, which GraphQL merges into one field of the answer. */
export function countBelow(
  nodes: readonly { readonly selectionSet?: SelectionSetNode | undefined }[],
  wanted: readonly string[],
  asked: Asked,
): number {
  const seen = new Set<string>();
  const below = new Map<string, FieldNode[]>();
  for (const { selectionSet } of nodes)
    for (const field of selectionSet === undefined ? [] : fieldsOf(selectionSet, asked, seen)) {
      const name = (field.alias ?? field.name).value;
      const same = below.get(name);
      if (same === undefined) below.set(name, [field]);
      else same.push(field);
    }
  let count = 0;
  for (const fields of below.values()) {
    const isWanted = fields.some(({ name }) => wanted.includes(name.value));
    count += (isWanted ? 1 : 0) + countBelow(fields, wanted, asked);
  }
  return count;
}
