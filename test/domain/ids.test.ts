import { afterEach, expect, jest, test } from '@jest/globals';
import { validate, version } from 'uuid';
import { newId } from '../../src/domain/ids.js';

afterEach(() => {
  jest.restoreAllMocks();
});

test('ids are of version 7, all different, and in the order in which they were made', () => {
  const ids = Array.from({ length: 20_000 }, newId);
  expect(ids.every((id) => validate(id) && version(id) === 7)).toBe(true);
  expect(new Set(ids).size).toBe(ids.length);
  expect([...ids].sort()).toEqual(ids);
});

test('the order holds while the clock stands still or goes back', () => {
  const before = newId();
  jest.spyOn(Date, 'now').mockReturnValue(Date.now() - 5_000);
  const ids = [before, ...Array.from({ length: 2_000 }, newId)];
  expect([...ids].sort()).toEqual(ids);
});

test('what follows the time and the order is random', () => {
  const endings = Array.from({ length: 5_000 }, () => newId().slice(-12));
  expect(new Set(endings).size).toBe(endings.length);
});
