import { expect, test } from '@jest/globals';
import type * as SqlStates from '../../src/infra/connections/sql-states.js';
import { compiled } from '../support/compiled.js';

const { answerTo, isSqlState } = await compiled<typeof SqlStates>(
  'infra/connections/sql-states.js',
);

/** Every state of the classes that can meet a sound statement, as the appendix of Postgres lists them. */
const ANSWERS = {
  BUSY:
    '08000 08001 08003 08004 08006 08007 25006 25P03 25P04 28000 28P01 3D000 40003 53000 53100 53200 53300 53400 ' +
    '55006 55P03 57000 57014 57P01 57P02 57P03 57P04 57P05 58000 58030',
  RETRY: '40000 40001 40P01',
  INTERNAL:
    '08P01 25000 25001 25002 25003 25004 25005 25007 25008 25P01 25P02 40002 55000 55P02 55P04 58P01 58P02 58P03 ' +
    '22003 23505 42601 42P01 XX000',
};

test.each(
  Object.entries(ANSWERS).flatMap(([answer, states]) =>
    states.split(' ').map((state) => [state, answer]),
  ),
)('%s is answered as %s', (state, answer) => {
  expect(answerTo(state, 'ERROR')).toBe(answer);
});

test('a session that was refused is BUSY where a statement would be INTERNAL', () => {
  for (const state of ['08P01', '55000']) expect(answerTo(state, 'FATAL')).toBe('BUSY');
});

test('codes of Prisma are no states', () => {
  expect(['P1001', 'P2028', 'ECONNREFUSED', ''].filter(isSqlState)).toEqual([]);
  expect(['08006', '25P03', '3D000', 'P0001'].filter(isSqlState)).toHaveLength(4);
});
