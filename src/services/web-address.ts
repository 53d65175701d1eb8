import { z } from 'zod';
import { isCleanText } from '../domain/text.js';

const WEB_ADDRESS_MAX = 2000;

/**
 * An http or https address, normalised as browsers do: with its host in punycode, and with all other non-ASCII
 * characters encoded, so that the address that is checked is the one that is stored and shown.
 */
export const webAddress = z
  .string()
  .max(WEB_ADDRESS_MAX, 'must be at most 2,000 characters')
  .refine(isCleanText, {
    error: 'must be text without NUL and unpaired surrogates',
    abort: true,
  })
  .transform((given, context) => {
    const address = URL.canParse(given) ? new URL(given) : null;
    const fault = address === null ? NO_WEB_ADDRESS : addressFaultOf(address);
    if (fault !== null) context.addIssue({ code: 'custom', message: fault });
    return address?.href ?? '';
  });

const NO_WEB_ADDRESS = 'must be an http or https address';

/** A name or an address. URLs also allow characters such as `;` in a host, which no name in use has. */
const HOST = /^(?:[a-z0-9._-]+|\[[0-:a-f.]+\])$/;

function addressFaultOf({
  protocol,
  hostname,
  username,
  password: secret,
  href,
}: URL): string | null {
  if (protocol !== 'http:' && protocol !== 'https:') return NO_WEB_ADDRESS;
  if (!HOST.test(hostname)) return 'must have a host of letters, digits, dots and hyphens';
  if (username !== '' || secret !== '') return 'must not contain a user name or a password';
  if (href.length <= WEB_ADDRESS_MAX) return null;
  return 'must be at most 2,000 characters when its special characters are encoded';
}
