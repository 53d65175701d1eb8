import { GraphQLError, isEnumType, Kind, type GraphQLSchema } from 'graphql';

/** No name of an enum is longer. */
const NAME_LENGTH_MAX = 200;

/**
 * Has the enums of a schema refuse long values at once. graphql-js compares a wrong value with all names of the enum to
 * suggest one, which takes tens of milliseconds for a value of a megabyte.
 */
export function refuseLongEnumValues(schema: GraphQLSchema): GraphQLSchema {
  for (const type of Object.values(schema.getTypeMap())) {
    if (!isEnumType(type)) continue;
    const refuseLong = (text: string): void => {
      if (text.length > NAME_LENGTH_MAX)
        throw new GraphQLError(`Value does not exist in "${type.name}" enum.`);
    };
    const parseValue = type.parseValue.bind(type);
    const parseLiteral = type.parseLiteral.bind(type);
    type.parseValue = (value): unknown => {
      if (typeof value === 'string') refuseLong(value);
      return parseValue(value);
    };
    type.parseLiteral = (node, variables): unknown => {
      if (node.kind === Kind.STRING) refuseLong(node.value);
      return parseLiteral(node, variables);
    };
  }
  return schema;
}
