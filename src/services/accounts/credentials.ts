import { DomainError } from '../../domain/errors.js';
import { verifyPassword } from '../../infra/passwords.js';

/** Of a person, what a password is checked against. */
export interface Credentials {
  readonly id: string;
  readonly passwordHash: string;
}

/**
 * Does something for the person whom a password proves to be there. The hash may be replaced between the check and
 * the commit, also by one of the same password: `work` then throws INVALID_CREDENTIALS, and the password is checked
 * once more.
 * @param find null when there is no such person, which takes as long as a wrong password
 * @param refused what is thrown when the password is wrong, for whom it was tried or null
 */
export async function withPassword<Person extends Credentials, Result>(
  find: () => Promise<Person | null>,
  password: string,
  refused: (person: Person | null) => DomainError,
  work: (person: Person) => Promise<Result>,
): Promise<Result> {
  const prove = async (): Promise<Person> => {
    const person = await find();
    const right = await verifyPassword(person?.passwordHash ?? null, password);
    if (person === null || !right) throw refused(person);
    return person;
  };
  const person = await prove();
  try {
    return await work(person);
  } catch (error) {
    if (!(error instanceof DomainError) || error.code !== 'INVALID_CREDENTIALS') throw error;
    return work(await prove());
  }
}
