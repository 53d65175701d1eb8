import {
  Kind,
  OperationTypeNode,
  type DocumentNode,
  type FragmentDefinitionNode,
  type SelectionNode,
} from 'graphql';

/**
 * Whether a subscription of the document may be left out by @skip or @include. GraphQL does not define what a
 * subscription without a field is, and graphql-js fails on one. Each fragment is visited once.
 */
export function isConditionalSubscription({ definitions }: DocumentNode): boolean {
  const fragments = new Map<string, FragmentDefinitionNode>();
  const waiting: SelectionNode[] = [];
  for (const definition of definitions) {
    if (definition.kind === Kind.FRAGMENT_DEFINITION)
      fragments.set(definition.name.value, definition);
    else if (
      definition.kind === Kind.OPERATION_DEFINITION &&
      definition.operation === OperationTypeNode.SUBSCRIPTION
    )
      for (const selection of definition.selectionSet.selections) waiting.push(selection);
  }
  for (let selection = waiting.pop(); selection !== undefined; selection = waiting.pop()) {
    if (isConditional(selection)) return true;
    for (const inner of rootSelections(selection, fragments)) waiting.push(inner);
  }
  return false;
}

const isConditional = ({ directives = [] }: SelectionNode): boolean =>
  directives.some(({ name: { value } }) => value === 'skip' || value === 'include');

/** The selections of a fragment, which stand on the root type too. A named one is taken out, so that it comes once. */
function rootSelections(
  selection: SelectionNode,
  fragments: Map<string, FragmentDefinitionNode>,
): readonly SelectionNode[] {
  if (selection.kind === Kind.FIELD) return [];
  if (selection.kind === Kind.INLINE_FRAGMENT) return selection.selectionSet.selections;
  const name = selection.name.value;
  const fragment = fragments.get(name);
  fragments.delete(name);
  return fragment?.selectionSet.selections ?? [];
}
