import { DomainError } from '../../domain/errors.js';
import { verifyPassword } from '../../infra/passwords.js';

/** The part of a user that a password is checked against. */
export interface Credentials {
  readonly id: string;
  readonly passwordHash: string;
}

/**
 * Runs `work` for the user whose password is right. The hash may be replaced between the check and the commit, even by
 * another hash of the same password. `work` then throws INVALID_CREDENTIALS, and the password is checked a second time.
 * @param find returns null when there is no such user, which takes as long as a wrong password
 * @param refused returns the error for a wrong password. It gets the user, or null when there is none.
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
