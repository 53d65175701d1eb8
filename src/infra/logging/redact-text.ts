/** Longer texts are cut, because no line needs more, and some errors repeat what was sent. */
const LENGTH_MAX = 8_000;

const CENSORED = '[redacted]';

/** Forms of secrets, and what replaces them. `$1` and `$2` are what stays. */
const FORMS: readonly (readonly [form: RegExp, safe: string])[] = [
  // The user and the password in an address.
  [/(:\/\/)[^\s/@"']+@/g, `$1${CENSORED}@`],
  // The credentials of a header, and headers in a text.
  [/\b(bearer|basic|digest)[\s:]+[\w.~+/=-]{8,}/gi, `$1 ${CENSORED}`],
  [/(cookie|authorization)(\\*["']?[ \t]*[:=])[^\n]+/gi, `$1$2 ${CENSORED}`],
  // A name and a value, which can be quoted, also in JSON that is itself in JSON. The start of the name can be any.
  [
    /(passw(?:or)?d|passphrase|pwd|\bpass|secret|token|signature|(?:api|access|private)[-_]?key|talebank_refresh)(\\*["']?[ \t]*[:=][ \t]*)(?:(")(?:[^"\\]|\\[^])*|(')(?:[^'\\]|\\[^])*|(\\+["'])(?:[^"'\\]|\\{2,}[^\\])*|[^\s"',;}][^\s,;}]*)/gi,
    `$1$2$3$4$5${CENSORED}`,
  ],
  // The secret parts of a JSON Web Key.
  [/\b([dkpq]|d[pq]|qi)(\\*["']?[ \t]*:[ \t]*\\*["'])[\w-]{16,}/g, `$1$2${CENSORED}`],
  // A JSON Web Token, and keys of providers.
  [/\beyJ[\w.-]{10,}/g, CENSORED],
  [/\b(?:sk|pk|xi|rk)[-_][\w-]{12,}/g, CENSORED],
  // Parts of an address that give access.
  [
    /([?&][\w-]*(?:signature|credential|token|secret|password|key|sig)=)[^\s&"'#]+/gi,
    `$1${CENSORED}`,
  ],
  // The values of a row that Postgres repeats.
  [/\)=\([^\n]*/g, `)=(${CENSORED})`],
  [/(Failing row contains )[^\n]+/g, `$1(${CENSORED})`],
];

/** Ids, codes and single words are of no such form, and most texts in the log are one of them. */
const PLAIN = /^(?!eyJ|[spxr][ki][-_])[\w-]{1,40}$/;

/** A text without credentials, tokens, signatures, e-mail addresses and values of rows. */
export function redactText(text: string): string {
  if (PLAIN.test(text)) return text;
  let safe = bounded(text).replace(/\S+/g, withoutUserinfo);
  for (const [form, replacement] of FORMS) safe = safe.replace(form, replacement);
  return withoutAddresses(safe);
}

const bounded = (text: string): string =>
  text.length > LENGTH_MAX ? `${text.slice(0, LENGTH_MAX)}…` : text;

/** An address with a user and a password, or with a host and a port. */
const COLON_AFTER_FIRST = /:\/\/[^\s/?#:@]*:/;
const PORT = /^\d{1,5}[/?#]/;

/** Replaces a user and a password, also one with quotation marks or slashes, which should have been encoded. */
function withoutUserinfo(word: string): string {
  const begin = COLON_AFTER_FIRST.exec(word);
  const end = word.lastIndexOf('@');
  if (begin === null || end < begin.index) return word;
  const safe = `${word.slice(0, begin.index)}://${CENSORED}`;
  // What looks like a port may be the start of a password, and what follows the @ may belong to an e-mail address.
  return PORT.test(word.slice(begin.index + begin[0].length)) ? safe : safe + word.slice(end);
}

/** What an e-mail address consists of, in any script. A slash, which is rare, would take paths of modules along. */
const IN_ADDRESS = /[\p{L}\p{M}\p{N}.!#-&*+?^_{-~-]/u;
/** The sign in an e-mail address: also in full width, small, and encoded once or twice as a part of an address. */
const AT_SIGNS = /[@\uff20\ufe6b]|%(?:25)?40/g;

/** Replaces e-mail addresses. Walks from each sign to both sides up to the next one, so that the time is linear. */
function withoutAddresses(text: string): string {
  let safe = '';
  let done = 0;
  let floor = 0;
  for (const { 0: sign, index } of text.matchAll(AT_SIGNS)) {
    if (index < done) continue;
    let start = index;
    while (start > floor && IN_ADDRESS.test(text.charAt(start - 1))) start -= 1;
    let end = index + sign.length;
    floor = end;
    if (start === index || !/[\p{L}\p{N}]/u.test(text.charAt(end))) continue;
    while (end < text.length && IN_ADDRESS.test(text.charAt(end))) end += 1;
    safe += `${text.slice(done, start)}${CENSORED}`;
    done = end;
    floor = end;
  }
  return safe + text.slice(done);
}
