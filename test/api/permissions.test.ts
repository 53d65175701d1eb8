import { readFile } from 'node:fs/promises';
import { expect, test } from '@jest/globals';
import {
  buildSchema,
  isEnumType,
  isInputObjectType,
  isInterfaceType,
  isIntrospectionType,
  isObjectType,
  isSpecifiedScalarType,
  type GraphQLField,
  type GraphQLInputField,
} from 'graphql';
import type * as Permissions from '../../src/resolvers/permissions.js';
import { compiled } from '../support/compiled.js';

test('every field of Query, Mutation and Subscription has a rule, and no rule is for a field that is not there', async () => {
  const { RULES } = await compiled<typeof Permissions>('resolvers/permissions.js');
  const schema = buildSchema(await readFile('schema.graphql', 'utf8'));
  const fields = {
    Query: Object.keys(schema.getQueryType()?.getFields() ?? {}),
    Mutation: Object.keys(schema.getMutationType()?.getFields() ?? {}),
    Subscription: Object.keys(schema.getSubscriptionType()?.getFields() ?? {}),
  };
  for (const type of ['Query', 'Mutation', 'Subscription'] as const) {
    const ruled = Object.keys(RULES[type]).filter((field) => field !== '*');
    expect(ruled.sort()).toEqual(fields[type].sort());
  }
});

test('everything in the schema is described for the person in GraphiQL', async () => {
  const schema = buildSchema(await readFile('schema.graphql', 'utf8'));
  const silent: string[] = [];
  const look = (
    name: string,
    { description }: { description?: string | null | undefined },
  ): void => {
    if (description == null || description === '') silent.push(name);
  };
  look('schema', schema);
  for (const type of Object.values(schema.getTypeMap())) {
    if (isIntrospectionType(type) || isSpecifiedScalarType(type)) continue;
    look(type.name, type);
    if (isEnumType(type))
      for (const value of type.getValues()) look(`${type.name}.${value.name}`, value);
    if (!isObjectType(type) && !isInterfaceType(type) && !isInputObjectType(type)) continue;
    for (const field of Object.values<GraphQLField<unknown, unknown> | GraphQLInputField>(
      type.getFields(),
    )) {
      look(`${type.name}.${field.name}`, field);
      const args = 'args' in field ? field.args : [];
      for (const argument of args) look(`${type.name}.${field.name}(${argument.name})`, argument);
    }
  }
  expect(silent).toEqual([]);
});
