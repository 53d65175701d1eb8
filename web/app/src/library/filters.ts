/** What the library shows, as the address says it, so that a link shows the same. */
export interface Filters {
  readonly search: string;
  /** A BCP 47 tag, or '' for all. */
  readonly language: string;
  readonly length: Length;
  /** Only stories that I have had narrated. */
  readonly mine: boolean;
}

export const lengths = ['any', 'short', 'middle', 'long'] as const;
export type Length = (typeof lengths)[number];

const MINUTE = 60;

export function readFilters(query: string): Filters {
  const parameters = new URLSearchParams(query);
  const length = parameters.get('length');
  return {
    search: (parameters.get('search') ?? '').slice(0, 200),
    language: parameters.get('language') ?? '',
    length: lengths.find((known) => known === length) ?? 'any',
    mine: parameters.get('mine') === 'yes',
  };
}

export function writeFilters({ search, language, length, mine }: Filters): string {
  const parameters = new URLSearchParams();
  if (search !== '') parameters.set('search', search);
  if (language !== '') parameters.set('language', language);
  if (length !== 'any') parameters.set('length', length);
  if (mine) parameters.set('mine', 'yes');
  return parameters.toString();
}

export const isFiltered = (filters: Filters): boolean => writeFilters(filters) !== '';

export function hasLength(seconds: number, length: Length): boolean {
  if (length === 'short') return seconds < 5 * MINUTE;
  if (length === 'middle') return seconds >= 5 * MINUTE && seconds <= 10 * MINUTE;
  return length === 'any' || seconds > 10 * MINUTE;
}

/** Words of a search without case and marks, for lists that are searched on the device. */
export const fold = (text: string): string =>
  text
    .normalize('NFKD')
    .replaceAll(/\p{M}/gu, '')
    .replaceAll('ł', 'l')
    .replaceAll('Ł', 'L')
    .toLowerCase();

export function matches(texts: readonly string[], search: string): boolean {
  const all = fold(texts.join(' '));
  return fold(search)
    .split(/\s+/)
    .every((word) => all.includes(word));
}
