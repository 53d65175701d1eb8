import { domainToASCII } from 'node:url';

/** No address is longer in any spelling. */
const SPELLING_LENGTH_MAX = 1_000;

/**
 * The canonical spelling of an address, under which it is stored, searched and counted: trimmed, in lower case, and
 * with an international domain in the ASCII form of mail servers (RFC 5890). Text that is no address is normalised as
 * far as possible, and matches no user.
 */
export function spellingOf(address: string): string {
  const given = address.trim().toLowerCase();
  const at = given.lastIndexOf('@');
  const domain = given.slice(at + 1);
  if (at < 1 || given.length > SPELLING_LENGTH_MAX || isAscii(domain)) return given;
  // Checked first, because domainToASCII stops at a slash and drops line ends, like the parser of web addresses.
  if (!NAME.test(domain)) return given;
  return `${given.slice(0, at)}@${domainToASCII(domain)}`;
}

/** Letters, marks and digits of any script, the dots of IDNA, and the hyphen. */
const NAME = /^[\p{L}\p{M}\p{N}.。．｡-]+$/u;

const isAscii = (text: string): boolean => Buffer.byteLength(text) === text.length;

/** RFC 5321, 4.5.3.1.3: a path has at most 256 characters, including two angle brackets. */
const ADDRESS_LENGTH_MAX = 254;

/** The rule by which browsers validate e-mail fields: https://html.spec.whatwg.org/#valid-e-mail-address */
// In ASCII order: ! # to ' * + - to 9 = ? ^ to ~. The last range includes the small letters.
const LOCAL_PART = /^[!#-'*+\--9=?^-~]+$/;
const LABEL = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/;

/**
 * The fault of an address in its canonical spelling. Null when mail can reach it. In addition to the rule of HTML, the
 * domain must have a dot and must not be an IP address, because no mail from the internet reaches other domains.
 */
export function emailFaultOf(address: string): string | null {
  if (address.length > ADDRESS_LENGTH_MAX)
    return `must be at most ${String(ADDRESS_LENGTH_MAX)} characters`;
  const at = address.lastIndexOf('@');
  const local = address.slice(0, Math.max(0, at));
  if (!isAscii(local)) return 'must have only ASCII characters before the @';
  const labels = address.slice(at + 1).split('.');
  if (!LOCAL_PART.test(local) || !labels.every((label) => LABEL.test(label)))
    return 'must be an e-mail address, for example anna@example.com';
  const last = labels.at(-1) ?? '';
  if (labels.length < 2 || /^(?:\d+|0x[\da-f]*)$/.test(last))
    return 'must have a domain with a dot after the @, and no IP address';
  // Mail to this domain is never delivered (RFC 2606), and the addresses of deleted accounts use it.
  return last === 'invalid' ? 'must be an address that mail can reach' : null;
}

/**
 * The mailbox that an address reaches, as far as the address tells: without the tag after a plus sign (RFC 5233), and
 * at Gmail without dots. It is only used for counting and never for mail, so two people whose addresses look like one
 * mailbox only share a limit.
 * @param address in lower case
 */
export function inboxOf(address: string): string {
  const at = address.lastIndexOf('@');
  const local = address.slice(0, at);
  const domain = address.slice(at + 1);
  const isGmail = domain === 'gmail.com' || domain === 'googlemail.com';
  const untagged = local.split('+')[0] ?? '';
  // An address that begins with a plus sign has no name before its tag.
  const name = untagged === '' ? local : untagged;
  return isGmail ? `${name.replaceAll('.', '')}@gmail.com` : `${name}@${domain}`;
}
