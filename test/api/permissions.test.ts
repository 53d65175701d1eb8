import { readFile } from 'node:fs/promises';
import { expect, test } from '@jest/globals';
import { buildSchema } from 'graphql';
import type * as Permissions from '../../src/resolvers/permissions.js';
import { compiled } from '../support/compiled.js';

test('every field of Query and Mutation has a rule, and no rule is for a field that is not there', async () => {
  const { RULES } = await compiled<typeof Permissions>('resolvers/permissions.js');
  const schema = buildSchema(await readFile('schema.graphql', 'utf8'));
  const fields = {
    Query: Object.keys(schema.getQueryType()?.getFields() ?? {}),
    Mutation: Object.keys(schema.getMutationType()?.getFields() ?? {}),
  };
  for (const type of ['Query', 'Mutation'] as const) {
    const ruled = Object.keys(RULES[type]).filter((field) => field !== '*');
    expect(ruled.sort()).toEqual(fields[type].sort());
  }
});

test('everything in the schema is described for the person in GraphiQL', async () => {
  const schema = buildSchema(await readFile('schema.graphql', 'utf8'));
  const silent: string[] = [];
  for (const type of Object.values(schema.getTypeMap())) {
    if (
      type.name.startsWith('__') ||
      ['String', 'Int', 'Float', 'Boolean', 'ID'].includes(type.name)
    )
      continue;
    if (!['Query', 'Mutation'].includes(type.name) && !type.description) silent.push(type.name);
    const members =
      'getFields' in type
        ? Object.values(type.getFields())
        : 'getValues' in type
          ? type.getValues()
          : [];
    for (const member of members) {
      if (!member.description) silent.push(`${type.name}.${member.name}`);
      for (const argument of 'args' in member ? member.args : []) {
        if (!argument.description) silent.push(`${type.name}.${member.name}(${argument.name})`);
      }
    }
  }
  expect(silent).toEqual([]);
});
