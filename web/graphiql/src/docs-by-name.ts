import type { IntrospectionField as Field, IntrospectionQuery } from 'graphql';

const byName = (one: { readonly name: string }, other: { readonly name: string }): number =>
  one.name < other.name ? -1 : 1;

/**
 * Sorts the types of an introspection, and their fields, by name, because the documentation lists them in the order of
 * the answer. Any other answer is returned as it is.
 */
export function docsByName<Answer extends { data?: Record<string, unknown> | null }>(
  answer: Answer,
): Answer {
  const schema = answer.data?.['__schema'] as IntrospectionQuery['__schema'] | undefined;
  if (schema?.types === undefined) return answer;
  const types = schema.types.map((type) => {
    // The answer has null for the fields of scalars, enums, inputs and unions, although the type says otherwise.
    const fields: readonly Field[] | null = 'fields' in type ? type.fields : null;
    return fields === null ? type : { ...type, fields: [...fields].sort(byName) };
  });
  return {
    ...answer,
    data: { ...answer.data, __schema: { ...schema, types: types.sort(byName) } },
  };
}
