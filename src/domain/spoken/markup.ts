import { rewrite, type Draft } from './draft.js';

/**
 * Removes what is markup and not words: HTML tags and comments, HTML entities (which are decoded once), and Markdown.
 * What an entity stands for is text, also if it looks like a tag.
 */
export function withoutMarks(draft: Draft): Draft {
  // A sentence without these signs has no markup, and most have none.
  if (!/[<&*_#`[~|=\\>+-]/u.test(draft.text)) return draft;
  return [withoutTags, withoutMarkdown, decoded].reduce((text, step) => step(text), draft);
}

const withoutTags = (draft: Draft): Draft =>
  rewrite(draft, draft.text.matchAll(/<[^<>]*>/gu), ([tag]) =>
    isTag(tag) ? (isInline(tag) ? '' : ' ') : null,
  );

/** Names of elements that may stand without attributes. Any other tag has an attribute, or a slash at an end. */
const ELEMENTS = new Set(
  'a abbr article aside audio b big blockquote body br break center cite code dd del dfn div dl dt em emphasis figure font footer h1 h2 h3 h4 h5 h6 head header hr html i img ins kbd li main mark nav ol p pre q s section small span speak strike strong style sub sup table tbody td th thead title tr tt u ul var wbr'.split(
    ' ',
  ),
);
/** They stand inside of words and sentences, so that nothing is between what is around them. */
const INLINE = new Set(
  'a abbr b big cite code del dfn em font i ins kbd mark q s small span strike strong sub sup tt u var wbr'.split(
    ' ',
  ),
);

const elementOf = (tag: string): string =>
  (/^<\/?([a-z][a-z0-:-]*)(?=[\s/>])/iu.exec(tag.slice(0, 40))?.[1] ?? '').toLowerCase();

const isInline = (tag: string): boolean => INLINE.has(elementOf(tag));

function isTag(tag: string): boolean {
  if (tag.startsWith('<!') || tag.startsWith('<?')) return true;
  const element = elementOf(tag);
  if (element === '') return false;
  return ELEMENTS.has(element) || tag.startsWith('</') || tag.endsWith('/>') || tag.includes('="');
}

/** The entities that stories use. Others are spoken as they are written, which few have. */
const ENTITIES: Readonly<Record<string, string>> = {
  ...{ amp: '&', lt: '<', gt: '>', quot: '"', apos: "'", nbsp: '\u00a0', shy: '\u00ad' },
  ...{ ensp: ' ', emsp: ' ', thinsp: ' ', zwnj: '\u200c', zwj: '\u200d', middot: '·', bull: '•' },
  ...{ hellip: '…', mdash: '—', ndash: '–', lsquo: '‘', rsquo: '’', sbquo: '‚', ldquo: '“' },
  ...{ rdquo: '”', bdquo: '„', laquo: '«', raquo: '»', lsaquo: '‹', rsaquo: '›', sect: '§' },
  ...{ euro: '€', pound: '£', yen: '¥', cent: '¢', copy: '©', reg: '®', trade: '™', deg: '°' },
  ...{ times: '×', divide: '÷', plusmn: '±', frac12: '½', frac14: '¼', frac34: '¾', sup2: '²' },
  ...{ iexcl: '¡', iquest: '¿', ordf: 'ª', ordm: 'º', szlig: 'ß', oelig: 'œ', OElig: 'Œ' },
  ...{ aelig: 'æ', AElig: 'Æ', oslash: 'ø', Oslash: 'Ø', eth: 'ð', thorn: 'þ', lstrok: 'ł' },
  ...{ aogon: 'ą', eogon: 'ę', Lstrok: 'Ł', zdot: 'ż', Zdot: 'Ż' },
};

/** How entities of letters with a mark end, and the mark. */
const MARKS: Readonly<Record<string, string>> = {
  acute: '\u0301',
  grave: '\u0300',
  circ: '\u0302',
  uml: '\u0308',
  tilde: '\u0303',
  ring: '\u030a',
  cedil: '\u0327',
  caron: '\u030c',
};

const decoded = (draft: Draft): Draft =>
  rewrite(draft, draft.text.matchAll(/&(?:#x?[0-9a-f]{1,6}|[a-z][a-z0-9]{1,7});/giu), ([entity]) =>
    characterOf(entity.slice(1, -1)),
  );

function characterOf(entity: string): string | null {
  if (entity.startsWith('#')) {
    const hexadecimal = /^#x/iu.test(entity);
    const code = parseInt(entity.slice(hexadecimal ? 2 : 1), hexadecimal ? 16 : 10);
    const isCharacter = code > 0x1f && code <= 0x10ffff && !(code >= 0xd800 && code <= 0xdfff);
    return isCharacter ? String.fromCodePoint(code) : ' ';
  }
  if (Object.hasOwn(ENTITIES, entity)) return ENTITIES[entity] ?? null;
  const mark = Object.hasOwn(MARKS, entity.slice(1)) ? MARKS[entity.slice(1)] : undefined;
  return mark === undefined ? null : `${entity.charAt(0)}${mark}`.normalize('NFC');
}

/** How often a star, an underscore or a tilde marks words: `***x***`. */
function withoutMarkdown(draft: Draft): Draft {
  const lines = rewrite(draft, draft.text.matchAll(/^>[> ]*|^(?:#{1,6}|[-*+•])[ \t]/gmu), () => '');
  // A row of these that divides, and the row below a heading.
  const rules = rewrite(
    lines,
    lines.text.matchAll(/(?<!\S)(?:[*_=~#+|]{2,}|-{3,})(?!\S)/gu),
    () => ' ',
  );
  const links = rewrite(
    rules,
    rules.text.matchAll(/!?\[([^[\]]*)\]\([^()\s]*(?:\s"[^"()]*")?\)/gu),
    (found) =>
      // The name of a picture is read, too, because it is all there is of it.
      found[1] ?? null,
  );
  const references = rewrite(links, links.text.matchAll(/\[\^?\d{1,3}\]/gu), () => '');
  const bare = rewrite(references, references.text.matchAll(/[*`|]+|~{2,}/gu), (found) =>
    signOf(found),
  );
  const emphasis = rewrite(bare, bare.text.matchAll(/_+/gu), underscoreOf);
  return rewrite(emphasis, emphasis.text.matchAll(/\\(?=[!-/:-@[-`{-~])/gu), () => '');
}

/** A star between numbers is a sign of multiplication. */
function signOf({ 0: sign, index, input }: RegExpExecArray): string | null {
  const [before, after] = [
    input.slice(Math.max(0, index - 2), index),
    input.slice(index + sign.length, index + sign.length + 2),
  ];
  if (sign === '*' && /\d ?$/u.test(before) && /^ ?\d/u.test(after)) return '×';
  return before.trim() === '' || after.trim() === '' || sign.startsWith('|') ? ' ' : '';
}

/** Underscores inside of a word are part of a name, such as `my_file`. */
function underscoreOf({ 0: sign, index, input }: RegExpExecArray): string | null {
  const isInside =
    /[\p{L}\p{N}]/u.test(input.charAt(index - 1)) &&
    /[\p{L}\p{N}]/u.test(input.charAt(index + sign.length));
  return isInside ? null : '';
}
