import { runInNewContext } from 'node:vm';
import { describe, expect, test } from '@jest/globals';
import { asError, codeOf, isErrorCode, messageOf, stackOf } from '../../src/domain/errors.js';
import { isKeyOf, isObject, keysOf, propertyOf, tableOf } from '../../src/domain/objects.js';

test.each([undefined, null, '', 'text', 0, 1n, true, Symbol('s')])(
  'a value that is no object has no property: %p',
  (value) => {
    expect(isObject(value)).toBe(false);
    expect(propertyOf(value, 'length')).toBeUndefined();
  },
);

test('properties that are inherited or computed can be read', () => {
  const error = Object.assign(new Error('m'), { code: 'ENOENT' });
  expect(propertyOf(Object.create(error), 'code')).toBe('ENOENT');
  expect(propertyOf(AbortSignal.abort(), 'aborted')).toBe(true);
  expect(propertyOf([7], 'length')).toBe(1);
});

test('only own keys are keys of a table', () => {
  const table = { b: 1, a: undefined };
  expect(keysOf(table)).toEqual(['b', 'a']);
  expect(['b', 'a', 'c', 'constructor', '__proto__'].filter((key) => isKeyOf(table, key))).toEqual([
    'b',
    'a',
  ]);
});

test('a table has one value for each key, in the order of the keys', () => {
  const table = tableOf(['b', 'a'], (key, index) => `${key}${String(index)}`);
  expect(Object.entries(table)).toEqual([
    ['b', 'b0'],
    ['a', 'a1'],
  ]);
});

describe('what was thrown', () => {
  const foreign: unknown = runInNewContext(
    "Object.assign(new TypeError('elsewhere'), { code: 'E' })",
  );

  test('an error of another realm is taken as it is', () => {
    expect(asError(foreign)).toBe(foreign);
    expect(messageOf(foreign)).toBe('elsewhere');
    expect(codeOf(foreign)).toBe('E');
    expect(stackOf(foreign)).toMatch(/^TypeError: elsewhere\n/);
  });

  test('an abort is taken as it is', () => {
    const reason: unknown = AbortSignal.abort().reason;
    expect(asError(reason)).toBe(reason);
  });

  test.each([
    ['text', 'text'],
    [undefined, 'undefined'],
    [{ message: 'of an object' }, 'of an object'],
    [{ message: 7 }, '7'],
  ])('%j becomes an error that has it as its cause', (thrown, message) => {
    const error = asError(thrown);
    expect([error.message, error.cause]).toEqual([message, thrown]);
  });

  test('a code that is no text is none', () => {
    expect([codeOf({ code: 2 }), codeOf({}), codeOf(null)]).toEqual([
      undefined,
      undefined,
      undefined,
    ]);
  });

  test.each(['constructor', 'busy', '', null, 500])('%p is no code of an error', (code) => {
    expect(isErrorCode(code)).toBe(false);
  });
});
