import { expect, test } from '@jest/globals';
import {
  CREDIT_SOURCES,
  prioritiesIn,
  SOURCES,
  sourcesWith,
} from '../../src/domain/ledger/lots.js';

test('the default order gives each source the number of the table', () => {
  for (const source of CREDIT_SOURCES)
    expect(prioritiesIn(CREDIT_SOURCES)[source]).toBe(SOURCES[source].priority);
});

test('another order gives out the same numbers, first to burn first', () => {
  expect(prioritiesIn(['FREE', 'ADD_ON', 'EVENT', 'MONTHLY', 'REFERRAL'])).toEqual({
    FREE: 10,
    ADD_ON: 20,
    EVENT: 30,
    MONTHLY: 40,
    REFERRAL: 50,
  });
});

test('numbers of sources that exist never change, because lots keep them', () => {
  const { EVENT, MONTHLY, REFERRAL, ADD_ON, FREE } = SOURCES;
  const existing = [EVENT, MONTHLY, REFERRAL, ADD_ON, FREE].map(({ priority }) => priority);
  expect(existing).toEqual([10, 20, 30, 40, 50]);
  const all = CREDIT_SOURCES.map((source) => SOURCES[source].priority);
  expect(new Set(all).size).toBe(all.length);
});

test('names are listed as a sentence has them', () => {
  expect(sourcesWith(({ mustExpire }) => mustExpire)).toBe('EVENT and MONTHLY');
});
