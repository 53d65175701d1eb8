import { isIP } from 'node:net';
import { z } from 'zod';
import { CREDIT_SOURCES, type CreditSource } from '../domain/ledger/lots.js';
import type { Rate } from '../domain/limits.js';
import { AddressError, readAddress } from '../infra/connections/address.js';

export const flag = z
  .enum(['true', 'false', 'yes', 'no'])
  .transform((value) => value === 'true' || value === 'yes');

/** A decimal number of at most twelve digits without a sign. Both ends are allowed. */
export const wholeNumber = (least: number, most: number): z.ZodType<number, string> =>
  z
    .string()
    .regex(/^\d{1,12}$/, 'a whole number')
    .transform(Number)
    .refine((value) => value >= least && value <= most, `${String(least)} to ${String(most)}`);

/** An absolute URL with one of these protocols, each with its colon, such as `https:`. */
export const url = (protocols: readonly string[]): z.ZodType<string, string> =>
  z
    .string()
    .refine(
      (value) => URL.canParse(value) && protocols.includes(new URL(value).protocol),
      `an address that begins with ${protocols.map((protocol) => `${protocol}//`).join(' or ')}`,
    );
/** The address of the database, by the rules of libpq, with nothing in it that would be ignored. */
export const databaseAddress = z.string().superRefine((value, context) => {
  try {
    readAddress(value);
  } catch (error) {
    if (!(error instanceof AddressError)) throw error;
    context.addIssue({ code: 'custom', message: error.message });
  }
});
/** An address to which paths are added. */
export function withoutLastSlashes(address: string): string {
  let end = address.length;
  while (address[end - 1] === '/') end -= 1;
  return address.slice(0, end);
}
export const priorities = z
  .string()
  .transform((value) => value.split(',').map((name) => name.trim()))
  .refine(
    (names): names is CreditSource[] =>
      [...names].sort().join() === [...CREDIT_SOURCES].sort().join(),
    `each of ${CREDIT_SOURCES.join(', ')} once, first to burn first`,
  );

export const list = z.string().transform((value) =>
  value
    .split(',')
    .map((one) => one.trim())
    .filter((one) => one !== ''),
);

/** Whether a text is exactly the origin of an http or https URL, without a path or a last slash. */
export const isOrigin = (value: string): boolean =>
  URL.canParse(value) &&
  /^https?:$/.test(new URL(value).protocol) &&
  new URL(value).origin === value;
const isNetwork = (value: string): boolean => {
  const [address = '', bits, ...rest] = value.split('/');
  if (['loopback', 'linklocal', 'uniquelocal'].includes(value)) return true;
  const bitsMax = address.includes('%') ? -1 : ({ 4: 32, 6: 128 }[isIP(address)] ?? -1);
  // A network of all addresses would let every client choose its own.
  return (
    bitsMax > 0 &&
    rest.length === 0 &&
    (bits === undefined || (/^\d{1,3}$/.test(bits) && Number(bits) >= 1 && Number(bits) <= bitsMax))
  );
};
/** The trusted proxies: none, this many of the nearest, or those with these addresses. */
export const proxies = z
  .string()
  .transform((value): false | number | string[] => {
    if (value === 'false') return false;
    return /^\d{1,2}$/.test(value) ? Number(value) : list.parse(value);
  })
  .refine(
    (value) => !Array.isArray(value) || (value.length > 0 && value.every(isNetwork)),
    'false, a number of proxies, or the addresses and networks of the proxies, for example 1 or loopback,10.0.0.0/8 (true is not accepted because clients would choose their own address)',
  );
const privateJwk = z.object({
  kty: z.literal('OKP'),
  crv: z.literal('Ed25519'),
  kid: z.string().min(1).max(200),
  x: z.base64url(),
  d: z.base64url(),
});

const NUMBERS: Readonly<Record<1 | 2, string>> = { 1: 'one private key', 2: 'two private keys' };

/** Ed25519 keys as JSON Web Keys, the one that signs first; `command` prints them. */
export const privateKeys = (
  least: 1 | 2,
  command: string,
): z.ZodType<z.infer<typeof privateJwk>[], string> =>
  z
    .string()
    .transform((value, context): unknown => {
      try {
        return JSON.parse(value);
      } catch {
        context.addIssue({ code: 'custom', message: 'JSON' });
        return z.NEVER;
      }
    })
    .pipe(
      z
        .array(
          privateJwk,
          `a list of at least ${least === 1 ? 'one private Ed25519 key' : 'two private Ed25519 keys'}, as \`npm run keys -- ${command}\` prints it`,
        )
        .min(least, `at least ${NUMBERS[least]}`)
        .refine(
          (keys) => new Set(keys.map(({ kid }) => kid)).size === keys.length,
          'keys with different kids',
        ),
    );
/** A rate: a number of times in a number of seconds. */
export const rate = z
  .string()
  .regex(/^[1-9]\d{0,6}\/[1-9]\d{0,5}$/, 'a number of times and of seconds, for example 10/60')
  .transform((value): Rate => {
    const [times, seconds] = value.split('/').map(Number);
    return { times: times ?? 1, seconds: seconds ?? 1 };
  });

/** Without white space: a name or a key. */
export const word = z.string().regex(/^\S{1,300}$/, 'a value without spaces');
