import { describe, expect, test } from '@jest/globals';
import type * as ConfigModule from '../../src/config.js';
import { compiled } from '../support/compiled.js';

const { ConfigError, readConfig } = await compiled<typeof ConfigModule>('config.js');

const EMAIL = 'admin@example.com';
const refusal = (environment: Record<string, string>): string => {
  try {
    readConfig({ ADMIN_EMAIL: EMAIL, ADMIN_PASSWORD: 'keeper of the tales', ...environment });
    return '';
  } catch (error) {
    if (error instanceof ConfigError) return error.message;
    throw error;
  }
};
const PRODUCTION = { NODE_ENV: 'production', DATABASE_URL: 'postgres://localhost/x' };

describe('ADMIN_PASSWORD', () => {
  test.each([
    ['short', 'must be 8 to 256 characters.'],
    // Eight units of UTF-16, and four characters.
    ['🦉🦉🦉🦉', 'must be 8 to 256 characters.'],
    ['x'.repeat(257), 'must be 8 to 256 characters.'],
    ['half a pair \ud800 inside', 'must be text without NUL and unpaired surrogates.'],
    ['e' + '\u0301'.repeat(40), 'must have at most 30 marks on a letter.'],
  ])('%j stops the start, and is not repeated', (password, allowed) => {
    const said = refusal({ ADMIN_PASSWORD: password });
    expect(said).toBe(`ADMIN_PASSWORD is a value, but ${allowed}`);
    expect(said).not.toContain(password);
  });

  test('of 256 characters of two units each is taken', () => {
    expect(refusal({ ADMIN_PASSWORD: '🦉'.repeat(256) })).toBe('');
  });

  test.each([{ HOST: '0.0.0.0' }, { PUBLIC_URL: 'https://stories.example.com' }])(
    'that everybody guesses stops the start in production with %j',
    (reachable) => {
      const said = refusal({ ...PRODUCTION, ...reachable, ADMIN_PASSWORD: 'Administrator' });
      expect(said).toMatch(/^ADMIN_PASSWORD is one of the most common passwords, but .*8 to 256/);
      expect(said).not.toContain('Administrator');
      expect(refusal({ ...PRODUCTION, ...reachable })).toBe('');
    },
  );

  test('that everybody guesses is allowed on one machine alone', () => {
    expect(refusal({ ADMIN_PASSWORD: 'administrator' })).toBe('');
    expect(refusal({ ...PRODUCTION, ADMIN_PASSWORD: 'administrator' })).toBe('');
  });
});

describe('ADMIN_EMAIL', () => {
  test.each(['nobody', 'a@b', 'admin@deleted.invalid', `${'x'.repeat(250)}@example.com`])(
    '%j stops the start',
    (email) => {
      expect(refusal({ ADMIN_EMAIL: email })).toMatch(/^ADMIN_EMAIL is ".*", but must (be|have) /);
    },
  );

  test('is compared as every other address is', () => {
    const { admin } = readConfig({
      ADMIN_EMAIL: ' First@Example.com ',
      ADMIN_PASSWORD: 'keeper of the tales',
    });
    expect(admin?.email).toBe('first@example.com');
  });
});
