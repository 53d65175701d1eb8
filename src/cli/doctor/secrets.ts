import { z } from 'zod';
import type { Environment } from '../../config.js';
import { isSecretVariable } from '../../variables/explanation.js';

/** Whether a variable has something that may not be printed: an address may contain a password. */
const hasSecret = (name: string): boolean => isSecretVariable(name) || name.endsWith('_URL');

/** Shorter values would blank out parts of words. */
const SHORTEST = 4;
const BLANK = '…';

/** The user and the password of an address, as they stand there and as they are meant. */
function partsOf(address: string): string[] {
  if (!URL.canParse(address)) return [];
  const { password, searchParams } = new URL(address);
  const parts = [password, searchParams.get('password') ?? ''];
  return parts.flatMap((part) => {
    try {
      return [part, decodeURIComponent(part)];
    } catch {
      return [part];
    }
  });
}

/**
 * Blanks secrets out of texts, because errors of libraries repeat addresses with passwords.
 * @param more addresses with passwords that are not in the environment
 */
export function createRedactor(
  environment: Environment,
  more: readonly string[],
): (text: string) => string {
  const given = Object.entries(environment)
    .filter(([name]) => hasSecret(name))
    .map(([, value = '']) => value);
  const isAddress = (value: string): boolean => /^[a-z][a-z0-9+.-]*:\/\//i.test(value);
  const secrets = [
    ...given.filter((value) => !isAddress(value)),
    // Public addresses have no password and are left as they are.
    ...[...given, ...more].flatMap(partsOf),
    ...given.flatMap(privatePartsOf),
  ].filter((secret) => secret.length >= SHORTEST);
  const longestFirst = [...new Set(secrets)].sort((one, other) => other.length - one.length);
  return (text) => {
    let safe = text;
    for (const secret of longestFirst) safe = safe.replaceAll(secret, BLANK);
    // A password that is too short to be searched for still stands between these signs.
    return safe.replaceAll(/:\/\/[^\s/@]{1,500}@/g, `://${BLANK}@`);
  };
}

const keyList = z.array(z.object({ d: z.string() }));

/** The private parts of a list of keys. */
function privatePartsOf(value: string): string[] {
  try {
    const keys = keyList.safeParse(JSON.parse(value));
    return keys.success ? keys.data.map(({ d }) => d) : [];
  } catch {
    return [];
  }
}
