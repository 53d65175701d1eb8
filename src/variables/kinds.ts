import { isIP } from 'node:net';
import { z } from 'zod';
import { CREDIT_SOURCES, type CreditSource } from '../domain/ledger/lots.js';
import type { Rate } from '../domain/limits.js';

export const flag = z
  .enum(['true', 'false', 'yes', 'no'])
  .transform((value) => value === 'true' || value === 'yes');
export const wholeNumber = (least: number, most: number): z.ZodType<number, string> =>
  z
    .string()
    .regex(/^\d{1,12}$/, 'a whole number')
    .transform(Number)
    .refine((value) => value >= least && value <= most, `${String(least)} to ${String(most)}`);
export const url = (protocols: readonly string[]): z.ZodType<string, string> =>
  z
    .string()
    .refine(
      (value) => URL.canParse(value) && protocols.includes(new URL(value).protocol),
      `an address that begins with ${protocols.map((protocol) => `${protocol}//`).join(' or ')}`,
    );
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
export const isOrigin = (value: string): boolean =>
  URL.canParse(value) &&
  /^https?:$/.test(new URL(value).protocol) &&
  new URL(value).origin === value;
const isNetwork = (value: string): boolean => {
  const [address = '', bits, ...rest] = value.split('/');
  if (['loopback', 'linklocal', 'uniquelocal'].includes(value)) return true;
  const most = { 0: -1, 4: 32, 6: 128 }[isIP(address)] ?? -1;
  return (
    most > 0 &&
    rest.length === 0 &&
    (bits === undefined || (/^\d{1,3}$/.test(bits) && Number(bits) <= most))
  );
};
/** Which proxies are believed: none, all, the nearest so many, or those with these addresses. */
export const proxies = z
  .string()
  .transform((value): boolean | number | string[] => {
    if (value === 'true' || value === 'false') return value === 'true';
    return /^\d{1,2}$/.test(value) ? Number(value) : list.parse(value);
  })
  .refine(
    (value) => !Array.isArray(value) || value.every(isNetwork),
    'true, false, a number of proxies, or addresses and networks, for example loopback,10.0.0.0/8',
  );
/** At least two Ed25519 keys as JSON Web Keys, the one that signs first. */
export const privateKeys = z
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
        z.object({
          kty: z.literal('OKP'),
          crv: z.literal('Ed25519'),
          kid: z.string().min(1).max(200),
          x: z.base64url(),
          d: z.base64url(),
        }),
        'a list of at least two private Ed25519 keys, as `npm run keys -- make` prints it',
      )
      .min(2, 'at least two private keys')
      .refine(
        (keys) => new Set(keys.map(({ kid }) => kid)).size === keys.length,
        'keys with different kids',
      ),
  );
/** So many times in so many seconds. */
export const rate = z
  .string()
  .regex(/^[1-9]\d{0,6}\/[1-9]\d{0,5}$/, 'a number of times and of seconds, for example 10/60')
  .transform((value): Rate => {
    const [times, seconds] = value.split('/').map(Number);
    return { times: times ?? 1, seconds: seconds ?? 1 };
  });

/** Without white space: a name or a key. */
export const word = z.string().regex(/^\S{1,300}$/, 'a value without spaces');
