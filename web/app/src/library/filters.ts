/** What the library shows, as the address says it, so that a link shows the same. */
export interface Filters {
  readonly search: string;
  /** A BCP 47 tag, or '' for all. */
  readonly language: string;
  readonly length: Length;
  /** '' for all. */
  readonly tag: string;
  /** In years. Null for any age. */
  readonly age: number | null;
  readonly order: Order;
  /** Only stories that I have had narrated. */
  readonly mine: boolean;
}

export const lengths = ['any', 'short', 'middle', 'long'] as const;
export type Length = (typeof lengths)[number];

export const orders = ['LIBRARY', 'NEWEST', 'TITLE', 'SHORTEST', 'LONGEST'] as const;
export type Order = (typeof orders)[number];

export const ages = [2, 3, 4, 5, 6, 7, 8, 10, 12] as const;

const MINUTE = 60;

export function readFilters(query: string): Filters {
  const parameters = new URLSearchParams(query);
  const length = parameters.get('length');
  const order = parameters.get('order');
  const age = parameters.get('age') ?? '';
  return {
    search: (parameters.get('search') ?? '').slice(0, 200),
    language: parameters.get('language') ?? '',
    length: lengths.find((known) => known === length) ?? 'any',
    tag: (parameters.get('tag') ?? '').slice(0, 30),
    age: /^\d\d?$/.test(age) ? Number(age) : null,
    order: orders.find((known) => known === order) ?? 'LIBRARY',
    mine: parameters.get('mine') === 'yes',
  };
}

export function writeFilters(filters: Filters): string {
  const { search, language, length, tag, age, order, mine } = filters;
  const parameters = new URLSearchParams();
  if (search !== '') parameters.set('search', search);
  if (language !== '') parameters.set('language', language);
  if (length !== 'any') parameters.set('length', length);
  if (tag !== '') parameters.set('tag', tag);
  if (age !== null) parameters.set('age', String(age));
  if (order !== 'LIBRARY') parameters.set('order', order);
  if (mine) parameters.set('mine', 'yes');
  return parameters.toString();
}

/** Whether stories may be left out. An order leaves none out. */
export const isFiltered = (filters: Filters): boolean =>
  writeFilters({ ...filters, order: 'LIBRARY' }) !== '';

/** The same rule as on the server: a story that states no ages is left out. */
export function isForAge(
  { ageFrom = null, ageTo = null }: { ageFrom?: number | null; ageTo?: number | null },
  age: number,
): boolean {
  if (ageFrom === null && ageTo === null) return false;
  return age >= (ageFrom ?? 0) && age <= (ageTo ?? 99);
}

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
