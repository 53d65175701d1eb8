import { isObject } from '../../domain/objects.js';
import { badUserInput } from '../../domain/errors.js';

/**
 * The bounds of variables. They are checked before graphql-js reads the variables, because it repeats refused values in
 * its errors. Nothing in the schema needs more. `checkVariables` checks the types afterwards.
 */
export const JSON_BOUNDS = {
  depth: 10,
  keys: 100,
  keyLength: 200,
  listLength: 100_000,
  values: 150_000,
};
/** An error repeats a name of at most this length. */
export const FIELD_LENGTH_MAX = 100;

/**
 * Looks at each value of a JSON text once. The recursion is bounded by JSON_BOUNDS.depth.
 * @param name what an error names where no key leads to the value
 * @throws BAD_USER_INPUT for more than JSON_BOUNDS
 */
export function refuseLargeJson(name: string, json: object): void {
  let values = 0;

  const count = (inside: number, field: string, depth: number): void => {
    values += inside;
    if (values > JSON_BOUNDS.values)
      throw tooLarge(name, 'values in all', JSON_BOUNDS.values, values);
    if (inside > 0 && depth === JSON_BOUNDS.depth) throw tooDeep(field);
  };

  const visit = (value: unknown, field: string, depth: number): void => {
    if (Array.isArray(value)) {
      refuseLongList(value, field);
      count(value.length, field, depth);
      for (const item of value) visit(item, field, depth + 1);
      return;
    }
    if (!isObject(value)) return;
    const keys = Object.keys(value);
    refuseKeys(keys, field);
    count(keys.length, field, depth);
    for (const key of keys)
      visit(value[key], key.length > FIELD_LENGTH_MAX ? field : key, depth + 1);
  };

  visit(json, name, 0);
}

function refuseLongList(list: readonly unknown[], field: string): void {
  if (list.length > JSON_BOUNDS.listLength)
    throw tooLarge(field, 'items', JSON_BOUNDS.listLength, list.length);
}

function refuseKeys(keys: readonly string[], field: string): void {
  if (keys.length > JSON_BOUNDS.keys)
    throw tooLarge(field, 'fields', JSON_BOUNDS.keys, keys.length);
  // GraphQL compares a wrong key with all names that are right.
  const long = keys.find((key) => key.length > JSON_BOUNDS.keyLength);
  if (long !== undefined)
    throw badUserInput(
      field,
      `must have keys of at most ${String(JSON_BOUNDS.keyLength)} characters, got ${long.length.toLocaleString('en')}`,
    );
}

/**
 * The BAD_USER_INPUT for JSON with more levels than JSON_BOUNDS.depth.
 * @param field the nearest key above the value
 */
export const tooDeep = (field: string): Error =>
  badUserInput(field, `must be at most ${String(JSON_BOUNDS.depth)} levels deep`);

const tooLarge = (field: string, what: string, most: number, found: number): Error =>
  badUserInput(
    field,
    `must have at most ${most.toLocaleString('en')} ${what}, got ${found.toLocaleString('en')}`,
  );
