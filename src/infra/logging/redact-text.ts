/** Longer texts are cut, because no line needs more, and some errors repeat what was sent. */
const LENGTH_MAX = 8_000;

const CENSORED = '[redacted]';

/** Forms of secrets, and what replaces them. `$1` and `$2` are what stays. */
const FORMS: readonly (readonly [form: RegExp, safe: string])[] = [
  // The user and the password in an address.
  [/(:\/\/)[^\s/@"']+@/g, `$1${CENSORED}@`],
  // The credentials of a header, and headers in a text.
  [/\b(bearer|basic|digest)\s[\w.~+/=-]{8,}/gi, `$1 ${CENSORED}`],
  [/\b(cookie|authorization)(["']?\s?[:=])[^\n]+/gi, `$1$2 ${CENSORED}`],
  [/\b(x-api-key|xi-api-key|password|token)(["']?\s?[:=]\s?["']?)[^\s"',;}]+/gi, `$1$2${CENSORED}`],
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
  let safe = bounded(text);
  for (const [form, replacement] of FORMS) safe = safe.replace(form, replacement);
  return withoutAddresses(safe);
}

const bounded = (text: string): string =>
  text.length > LENGTH_MAX ? `${text.slice(0, LENGTH_MAX)}…` : text;

/** What an e-mail address consists of, in any script. A slash, which is rare, would take paths of modules along. */
const IN_ADDRESS = /[\p{L}\p{M}\p{N}.!#-&*+?^_{-~-]/u;

/** Replaces e-mail addresses. Walks from each @ to both sides, so that the time grows with the length only. */
function withoutAddresses(text: string): string {
  let safe = '';
  let done = 0;
  for (let at = text.indexOf('@'); at !== -1; at = text.indexOf('@', at + 1)) {
    let start = at;
    while (start > done && IN_ADDRESS.test(text.charAt(start - 1))) start -= 1;
    let end = at + 1;
    while (end < text.length && IN_ADDRESS.test(text.charAt(end))) end += 1;
    const isAddress = start < at && /[\p{L}\p{N}]/u.test(text.charAt(at + 1));
    if (!isAddress) continue;
    safe += `${text.slice(done, start)}${CENSORED}`;
    done = end;
  }
  return safe + text.slice(done);
}
