import { queryTooComplex, type DomainError } from '../../domain/errors.js';

/** UTF-16 code units that the values of one answer may have together: ten of the longest stories. */
export const ANSWER_CHARACTERS_MAX = 2_000_000;

/** How much text the fields of one request have asked for, which is counted before it is loaded. */
export interface AnswerSize {
  characters: number;
}

/** The QUERY_TOO_COMPLEX for an answer with too much text. */
export const answerTooLarge = (): DomainError =>
  queryTooComplex('characters', ANSWER_CHARACTERS_MAX);

/** @throws QUERY_TOO_COMPLEX when the answer would have more than ANSWER_CHARACTERS_MAX */
export function reserveCharacters(size: AnswerSize, characters: number): void {
  size.characters += characters;
  if (size.characters > ANSWER_CHARACTERS_MAX) throw answerTooLarge();
}

/** Whether the text in a value, which may be of any shape, has more characters than an answer may have. */
export function isAnswerTooLarge(value: unknown): boolean {
  let characters = 0;
  const waiting: unknown[] = [value];
  while (waiting.length > 0) {
    const one = waiting.pop();
    if (typeof one === 'string') characters += one.length;
    else if (typeof one === 'object' && one !== null)
      for (const inner of Object.values(one)) waiting.push(inner);
    if (characters > ANSWER_CHARACTERS_MAX) return true;
  }
  return false;
}
