/** What a quotation mark or a bracket does. */
export const OPENS = 1;
export const CLOSES = 2;

const ALWAYS_OPEN = new Set('([{「『《〈【〔（［｛„‚');
const ALWAYS_CLOSE = new Set(')]}」』》〉】〕）］｝');
/** Counts of marks that have been opened and not closed, by how they were opened. */
type Open = Record<'low' | 'curly' | 'lowSingle' | 'single' | 'straight', number> &
  Record<'«' | '»' | '‹' | '›', number>;

interface Neighbours {
  /** Nothing, a space, a dash or an opening mark is before it. */
  readonly free: boolean;
  /** Nothing, a space or punctuation is after it. */
  readonly ends: boolean;
  /** Punctuation is before it, without a space. */
  readonly afterSign: boolean;
}

/**
 * Whether each quotation mark and bracket opens or closes, because several of them do one in some languages and the
 * other in others: „German“ and “English”, «French» and »German«, ”Swedish”. Decided by the marks that are open and by
 * the spaces around.
 * @returns OPENS, CLOSES or 0 for each UTF-16 unit
 */
export function readMarks(text: string): Uint8Array {
  const roles = new Uint8Array(text.length);
  const open: Open = {
    low: 0,
    curly: 0,
    lowSingle: 0,
    single: 0,
    straight: 0,
    '«': 0,
    '»': 0,
    '‹': 0,
    '›': 0,
  };
  for (let at = 0; at < text.length; at += 1) {
    const mark = text.charAt(at);
    if (ALWAYS_OPEN.has(mark)) {
      if (mark === '„') open.low += 1;
      if (mark === '‚') open.lowSingle += 1;
      roles[at] = OPENS;
    } else if (ALWAYS_CLOSE.has(mark)) roles[at] = CLOSES;
    else if (AMBIGUOUS.has(mark)) roles[at] = roleOf(mark, neighboursAt(text, at, roles), open);
  }
  return roles;
}

const AMBIGUOUS = new Set(`"＂“”‘’'«»‹›`);

function neighboursAt(text: string, at: number, roles: Uint8Array): Neighbours {
  const before = text.charAt(at - 1);
  const after = text.charAt(at + 1);
  return {
    free: before === '' || /[\s\p{Pd}]/u.test(before) || roles[at - 1] === OPENS,
    ends: after === '' || (/[\s\p{P}]/u.test(after) && !/[¿¡([{«„]/u.test(after)),
    afterSign: /[\p{Po}\p{Pd}\p{Pe}\p{Pf}]/u.test(before),
  };
}

function roleOf(mark: string, around: Neighbours, open: Open): number {
  switch (mark) {
    case '“':
      return closesAny(open, 'low') || (!around.free && around.ends)
        ? CLOSES
        : opens(open, 'curly');
    case '”':
      return closesAny(open, 'curly', 'low') || !around.free || around.ends
        ? CLOSES
        : opens(open, 'curly');
    case '"':
    case '＂':
      return straight(around, open);
    case '«':
      return closesAny(open, '»') ? CLOSES : opens(open, '«');
    case '»':
      return closesAny(open, '«', '»') || !around.free || around.ends ? CLOSES : opens(open, '»');
    case '‹':
      return closesAny(open, '›') ? CLOSES : opens(open, '‹');
    case '›':
      return closesAny(open, '‹', '›') || !around.free || around.ends ? CLOSES : opens(open, '›');
    case '‘':
      return closesAny(open, 'lowSingle') ? CLOSES : opens(open, 'single');
    default:
      return apostrophe(around);
  }
}

function opens(open: Open, name: keyof Open): number {
  open[name] += 1;
  return OPENS;
}

function closesAny(open: Open, ...names: (keyof Open)[]): boolean {
  const name = names.find((one) => open[one] > 0);
  if (name !== undefined) open[name] -= 1;
  return name !== undefined;
}

function straight({ free, ends }: Neighbours, open: Open): number {
  const closes = open.straight > 0 ? !free || ends : !free && ends;
  open.straight = closes ? 0 : 1;
  return closes ? CLOSES : OPENS;
}

/** After a sign it closes, because an apostrophe follows a letter. */
const apostrophe = ({ free, afterSign }: Neighbours): number =>
  afterSign ? CLOSES : free ? OPENS : 0;
