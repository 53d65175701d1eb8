import {
  getDirectiveValues,
  GraphQLIncludeDirective,
  GraphQLSkipDirective,
  Kind,
  responsePathAsArray,
  type FieldNode,
  type GraphQLResolveInfo,
  type SelectionNode,
  type SelectionSetNode,
} from 'graphql';

/** What a selection refers to: the fragments of the document, and the values of @skip and @include. */
type Asked = Pick<GraphQLResolveInfo, 'fragments' | 'variableValues'>;

/** The operation or the fields whose selections become one object of the answer. */
type Selecting = readonly { readonly selectionSet?: SelectionSetNode | undefined }[];

/** Whether @skip or @include leaves the selection out. */
const isLeftOut = (selection: SelectionNode, { variableValues }: Asked): boolean =>
  getDirectiveValues(GraphQLSkipDirective, selection, variableValues)?.['if'] === true ||
  getDirectiveValues(GraphQLIncludeDirective, selection, variableValues)?.['if'] === false;

/**
 * The fields of these selections, by their names in the answer. Fields of one name are one field of the answer, and each
 * fragment is visited once, as in execution.
 */
export function selectedFields(
  selecting: Selecting,
  asked: Asked,
): ReadonlyMap<string, readonly FieldNode[]> {
  const fields = new Map<string, FieldNode[]>();
  const seen = new Set<string>();
  const collect = (set: SelectionSetNode | undefined): void => {
    for (const selection of set?.selections ?? []) {
      if (isLeftOut(selection, asked)) continue;
      if (selection.kind === Kind.FIELD) {
        const name = (selection.alias ?? selection.name).value;
        const same = fields.get(name);
        if (same === undefined) fields.set(name, [selection]);
        else same.push(selection);
      } else if (selection.kind === Kind.INLINE_FRAGMENT) collect(selection.selectionSet);
      else if (!seen.has(selection.name.value)) {
        seen.add(selection.name.value);
        collect(asked.fragments[selection.name.value]?.selectionSet);
      }
    }
  };
  for (const { selectionSet } of selecting) collect(selectionSet);
  return fields;
}

/**
 * The places of fields in the answer, in the order of the document. A place is the names on the way to a field, so that
 * it is one place however many items the lists above it have.
 * @param wanted the names of the fields
 */
export function placesOf(
  selecting: Selecting,
  wanted: ReadonlySet<string>,
  asked: Asked,
  above = '',
): readonly string[] {
  return [...selectedFields(selecting, asked)].flatMap(([name, fields]) => {
    const place = `${above}/${name}`;
    const own = fields.some((field) => wanted.has(field.name.value)) ? [place] : [];
    return [...own, ...placesOf(fields, wanted, asked, place)];
  });
}

/** The place of the field that is being resolved. */
export const placeOf = ({ path }: GraphQLResolveInfo): string =>
  responsePathAsArray(path)
    .map((part) => (typeof part === 'string' ? `/${part}` : ''))
    .join('');
