import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { ask, execute } from '../support/client.js';
import { until } from '../support/faults.js';
import { graphql } from '../support/generated/index.js';
import { mailTo, readMail } from '../support/mail.js';
import {
  ChangeEmail,
  ChangePassword,
  Login,
  Register,
  RequestPasswordReset,
  ResetPassword,
  Users,
  VerifyEmail,
} from '../support/operations.js';
import { administrator, newListener, PASSWORD, type Person } from '../support/people.js';
import { startTalebank, type Talebank } from '../support/talebank.js';

const Address = graphql(`
  query Address {
    me {
      email
      emailVerified
      pendingEmail
    }
  }
`);

const SetLocale = graphql(`
  mutation SetLocale($locale: String!) {
    updateSettings(locale: $locale) {
      id
    }
  }
`);

const LINK = /^Confirm your new/;
const ASKED = /^A change of your e-mail address was requested$/;
const CHANGED = /^Your e-mail address was changed$/;

let talebank: Talebank;
let url: string;

beforeAll(async () => {
  talebank = await startTalebank();
  url = talebank.url;
});
afterAll(() => talebank.close());

let people = 0;
const newAddress = (): string => `moved-${String((people += 1))}@example.org`;

const codeOf = async (
  answer: Promise<{ errors: readonly { extensions: { code: string } }[] }>,
): Promise<string | undefined> => (await answer).errors[0]?.extensions.code;

const addressOf = async ({ token }: Person): Promise<unknown> =>
  (await ask(url, Address, {}, token)).me;

const change = (person: Person, newEmail: string, password = PASSWORD): Promise<unknown> =>
  ask(url, ChangeEmail, { newEmail, password }, person.token);

/** Waits until the mails to this user have been sent or dropped. */
const mailed = ({ id }: Person): Promise<void> =>
  until('all is mailed', async () => {
    const left = await talebank.database.sql(
      `SELECT FROM pgboss.job WHERE name = 'send-mail' AND state IN ('created', 'retry', 'active')
         AND data ->> 'userId' = $1`,
      [id],
    );
    return left.length === 0;
  });

const subjectsTo = async (address: string): Promise<string[]> =>
  (await readMail(url)).filter(({ to }) => to === address).map(({ subject }) => subject);

const canSignIn = async (email: string): Promise<boolean> =>
  (await codeOf(execute(url, Login, { input: { email, password: PASSWORD } }))) === undefined;

test('an address changes when the link in the mail to the new one is opened, and not before', async () => {
  const person = await newListener(url);
  const newEmail = newAddress();
  expect(await change(person, newEmail.toUpperCase())).toEqual({ changeEmail: true });
  const { token, text } = await mailTo(url, newEmail, LINK);
  expect(text).toContain(`${url}/verify?token=${token}`);
  const notice = await mailTo(url, person.email, ASKED);
  expect(notice.text).not.toContain(newEmail);
  expect(notice.token).toBe('');
  const before = { email: person.email, emailVerified: false, pendingEmail: newEmail };
  expect(await addressOf(person)).toEqual(before);
  expect(await canSignIn(newEmail)).toBe(false);

  const reset = await resetLinkOf(person.email);
  expect(await ask(url, VerifyEmail, { token })).toEqual({ verifyEmail: true });
  const after = { email: newEmail, emailVerified: true, pendingEmail: null };
  expect(await addressOf(person)).toEqual(after);
  await mailTo(url, person.email, CHANGED);
  expect(await canSignIn(newEmail)).toBe(true);
  expect(await canSignIn(person.email)).toBe(false);
  // Neither the same link nor one that was mailed to the old address does anything any more.
  expect(await codeOf(execute(url, VerifyEmail, { token }))).toBe('TOKEN_INVALID');
  const again = { token: reset, newPassword: 'quite another one' };
  expect(await codeOf(execute(url, ResetPassword, again))).toBe('TOKEN_INVALID');

  const admin = await administrator(url);
  const { users } = await ask(url, Users, { search: newEmail }, admin.token);
  expect(users.nodes.map(({ id }) => id)).toEqual([person.id]);
  const entries = await talebank.database.sql(
    `SELECT details FROM audit_entries WHERE target = $1 AND action = 'changeEmail' ORDER BY seq`,
    [person.id],
  );
  expect(entries).toEqual([{ details: { confirmed: false } }, { details: { confirmed: true } }]);
});

const resetLinkOf = async (email: string): Promise<string> => {
  await ask(url, RequestPasswordReset, { email });
  return (await mailTo(url, email, /^Choose a new/)).token;
};

test('an address of another account gets no link, and the answer does not reveal it', async () => {
  const [person, other] = [await newListener(url), await newListener(url)];
  expect(await change(person, other.email)).toEqual({ changeEmail: true });
  await mailTo(url, person.email, ASKED);
  await mailed(person);
  expect(
    (await subjectsTo(other.email)).filter((subject) => subject.startsWith('Confirm your new')),
  ).toEqual([]);
  const pending = { email: person.email, emailVerified: false, pendingEmail: other.email };
  expect(await addressOf(person)).toEqual(pending);
  expect(await addressOf(other)).toMatchObject({ email: other.email, pendingEmail: null });
});

test('an address that is taken before its link is opened stays with the other account', async () => {
  const person = await newListener(url);
  const newEmail = newAddress();
  await change(person, newEmail);
  const { token } = await mailTo(url, newEmail, LINK);
  await ask(url, Register, { input: { email: newEmail, password: PASSWORD } });
  expect(await codeOf(execute(url, VerifyEmail, { token }))).toBe('EMAIL_TAKEN');
  expect(await addressOf(person)).toMatchObject({ email: person.email, emailVerified: false });
});

test('a second request cancels the first, whose link then sets neither address', async () => {
  const person = await newListener(url);
  const [first, second] = [newAddress(), newAddress()];
  await change(person, first);
  const early = await mailTo(url, first, LINK);
  await change(person, second);
  const late = await mailTo(url, second, LINK);
  expect(await codeOf(execute(url, VerifyEmail, { token: early.token }))).toBe('TOKEN_INVALID');
  expect(await addressOf(person)).toMatchObject({ email: person.email, pendingEmail: second });
  await ask(url, VerifyEmail, { token: late.token });
  expect(await addressOf(person)).toMatchObject({ email: second });
});

/**
 * Runs steps while no notice of a change is mailed to this user, as if the mail server were slow. Links are mailed.
 * @returns when all is mailed
 */
async function withLateNotices(person: Person, steps: () => Promise<void>): Promise<void> {
  const late = `name = 'send-mail' AND data ->> 'userId' = '${person.id}' AND data ->> 'mail' <> 'EMAIL_CHANGE'`;
  await talebank.database.sql(`
    CREATE FUNCTION hold_notices() RETURNS trigger LANGUAGE plpgsql AS $$
      BEGIN NEW.start_after := now() + interval '1 hour'; RETURN NEW; END $$;
    CREATE TRIGGER hold_notices BEFORE INSERT ON pgboss.job FOR EACH ROW
      WHEN (${late.replaceAll(/\b(name|data)\b/g, 'NEW.$1')}) EXECUTE FUNCTION hold_notices()`);
  try {
    await steps();
  } finally {
    await talebank.database.sql(`
      DROP TRIGGER hold_notices ON pgboss.job; DROP FUNCTION hold_notices();
      UPDATE pgboss.job SET start_after = now() WHERE ${late}`);
  }
  await mailed(person);
}

test('notices of two quick changes go to the addresses that were replaced, not to the newest one', async () => {
  const person = await newListener(url);
  const [first, second] = [newAddress(), newAddress()];
  await withLateNotices(person, async () => {
    for (const address of [first, second]) {
      await change(person, address);
      const { token } = await mailTo(url, address, LINK);
      await ask(url, VerifyEmail, { token });
    }
    expect(await addressOf(person)).toMatchObject({ email: second });
    for (const address of [person.email, first])
      expect((await subjectsTo(address)).filter((subject) => CHANGED.test(subject))).toEqual([]);
  });
  const noticesTo = async (address: string): Promise<string[]> =>
    (await subjectsTo(address)).filter((one) => ASKED.test(one) || CHANGED.test(one)).sort();
  const both = [expect.stringMatching(ASKED), expect.stringMatching(CHANGED)];
  expect(await noticesTo(person.email)).toEqual(both);
  expect(await noticesTo(first)).toEqual(both);
  expect(await noticesTo(second)).toEqual([]);
});

test('a link is bound to its address, even if the mail of an earlier request is late', async () => {
  const person = await newListener(url);
  const [first, second] = [newAddress(), newAddress()];
  await change(person, first);
  const { token } = await mailTo(url, first, LINK);
  // As if the token had been stored just after the second request had deleted those of the first.
  await talebank.database.sql(
    `UPDATE email_changes SET new_email = $2 WHERE user_id = $1 AND new_email = $3`,
    [person.id, second, first],
  );
  expect(await codeOf(execute(url, VerifyEmail, { token }))).toBe('TOKEN_INVALID');
  expect(await addressOf(person)).toMatchObject({ email: person.email });
});

test('a new password cancels a pending change', async () => {
  const person = await newListener(url);
  const newEmail = newAddress();
  await change(person, newEmail);
  const { token } = await mailTo(url, newEmail, LINK);
  const passwords = { currentPassword: PASSWORD, newPassword: 'quite another one' };
  const { changePassword } = await ask(url, ChangePassword, passwords, person.token);
  expect(await codeOf(execute(url, VerifyEmail, { token }))).toBe('TOKEN_INVALID');
  const signedIn = { ...person, token: changePassword.accessToken };
  expect(await addressOf(signedIn)).toMatchObject({ email: person.email, pendingEmail: null });

  await change(signedIn, newEmail, passwords.newPassword);
  const again = await mailTo(url, newEmail, LINK, 2);
  const reset = { token: await resetLinkOf(person.email), newPassword: PASSWORD };
  await ask(url, ResetPassword, reset);
  expect(await codeOf(execute(url, VerifyEmail, { token: again.token }))).toBe('TOKEN_INVALID');
});

test('a link expires, and so does the change', async () => {
  const person = await newListener(url);
  const newEmail = newAddress();
  await change(person, newEmail);
  const { token } = await mailTo(url, newEmail, LINK);
  await talebank.database.sql(
    `UPDATE email_changes SET expires_at = now() - interval '1 second' WHERE user_id = $1`,
    [person.id],
  );
  expect(await addressOf(person)).toMatchObject({ pendingEmail: null });
  expect(await codeOf(execute(url, VerifyEmail, { token }))).toBe('TOKEN_INVALID');
});

test('the password and the address are checked, and a refused request mails nothing', async () => {
  const person = await newListener(url);
  const newEmail = newAddress();
  const refusal = (address: string, password = PASSWORD): Promise<string | undefined> =>
    codeOf(execute(url, ChangeEmail, { newEmail: address, password }, { token: person.token }));
  expect(await refusal(newEmail, 'a wrong password')).toBe('INVALID_CREDENTIALS');
  for (const address of ['no address', person.email.toUpperCase(), ''])
    expect(await refusal(address)).toBe('BAD_USER_INPUT');
  await mailed(person);
  expect(await subjectsTo(newEmail)).toEqual([]);
  expect(
    (await subjectsTo(person.email)).filter((subject) =>
      subject.startsWith('A change of your e-mail address'),
    ),
  ).toEqual([]);
  expect(await codeOf(execute(url, ChangeEmail, { newEmail, password: PASSWORD }))).toBe(
    'UNAUTHENTICATED',
  );
});

test('all three mails are in the language of the user', async () => {
  const person = await newListener(url);
  const newEmail = newAddress();
  await ask(url, SetLocale, { locale: 'pl' }, person.token);
  await change(person, newEmail);
  await mailTo(url, person.email, /^Prośba o zmianę adresu/);
  const { token } = await mailTo(url, newEmail, /^Potwierdź nowy adres/);
  await ask(url, VerifyEmail, { token });
  await mailTo(url, person.email, /^Twój adres e-mail został zmieniony/);
});
