import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { ask, execute } from '../support/client.js';
import { until } from '../support/faults.js';
import { mailTo, readMail, type SeenMail } from '../support/mail.js';
import {
  ChangePassword,
  DeleteAccount,
  Register,
  RequestPasswordReset,
  ResendVerification,
  ResetPassword,
  VerifyEmail,
} from '../support/operations.js';
import { startTalebank, type Talebank } from '../support/talebank.js';

const PASSWORD = 'a good password';
const MUCH = '1000/60';

let talebank: Talebank;
let url: string;

beforeAll(async () => {
  talebank = await startTalebank({
    RATE_LIMIT_FACTOR: '1',
    RATE_LIMIT_MAILS: '4/3600',
    RATE_LIMIT_REGISTER: MUCH,
    RATE_LIMIT_RESET: MUCH,
    RATE_LIMIT_RESEND: MUCH,
    RATE_LIMIT_LOGIN: MUCH,
    RATE_LIMIT_DELETE_ACCOUNT: MUCH,
  });
  url = talebank.url;
});
afterAll(() => talebank.close());

const newName = (): string => `n${crypto.randomUUID().slice(0, 8)}`;

const allMailed = (): Promise<void> =>
  until('all is mailed', async () => {
    const left = await talebank.database.sql(
      `SELECT FROM pgboss.job WHERE name = 'send-mail' AND state IN ('created', 'retry', 'active')`,
    );
    return left.length === 0;
  });

/** The mails that reached a mailbox, under any spelling of its address. */
const mailsOf = async (name: string): Promise<SeenMail[]> => {
  await allMailed();
  return (await readMail(url)).filter(({ to }) => to.replaceAll('.', '').startsWith(name));
};

const signUp = async (email: string): Promise<string> =>
  (await ask(url, Register, { input: { email, password: PASSWORD } })).register.accessToken;

const limited = async (mail: string): Promise<number> => {
  const text = await (await fetch(`${url}/metrics`)).text();
  const line = new RegExp(`talebank_mails_total\\{mail="${mail}",result="limited"\\} (\\d+)`);
  return Number(line.exec(text)?.[1] ?? 0);
};

test('an inbox gets a few mails, however many accounts are opened with its address and deleted', async () => {
  const name = newName();
  const before = await limited('VERIFY');
  for (const email of [`${name}@example.com`, `${name}+x@example.com`, `${name}+y@example.com`]) {
    const token = await signUp(email);
    for (let again = 0; again < 3; again += 1)
      expect(await ask(url, ResendVerification, {}, token)).toEqual({ resendVerification: true });
    await allMailed();
    expect(await ask(url, DeleteAccount, { password: PASSWORD }, token)).toEqual({
      deleteAccount: true,
    });
  }
  // Registering once more succeeds, and asking for a reset answers as ever.
  await signUp(`${name}@example.com`);
  const answers = [`${name}@example.com`, 'nobody@example.com'].map(async (email) =>
    execute(url, RequestPasswordReset, { email }),
  );
  for (const { data, errors } of await Promise.all(answers))
    expect({ data, errors }).toEqual({ data: { requestPasswordReset: true }, errors: [] });
  expect(await mailsOf(name)).toHaveLength(4);
  expect((await limited('VERIFY')) - before).toBe(9);
  expect(await limited('RESET')).toBeGreaterThan(0);
});

test('changes of the password of an account that is not confirmed count with them', async () => {
  const name = newName();
  let token = await signUp(`${name}@example.com`);
  for (let change = 0; change < 6; change += 1) {
    const variables = { currentPassword: PASSWORD, newPassword: PASSWORD };
    token = (await ask(url, ChangePassword, variables, token)).changePassword.accessToken;
  }
  expect(await mailsOf(name)).toHaveLength(4);
});

test('at Gmail the dots of a name make no other inbox', async () => {
  const name = newName();
  for (let dot = 1; dot <= 6; dot += 1)
    await signUp(`${name.slice(0, dot)}.${name.slice(dot)}@gmail.com`);
  expect(await mailsOf(name)).toHaveLength(4);
});

test('a confirmed address is out of reach of accounts with tags, and of its own other mails', async () => {
  const name = newName();
  const email = `${name}@example.com`;
  const token = await signUp(email);
  await ask(url, VerifyEmail, { token: (await mailTo(url, email, /^Confirm/)).token });
  // Strangers use up the inbox, and then the resets.
  for (let tag = 0; tag < 6; tag += 1) await signUp(`${name}+${String(tag)}@example.com`);
  for (let again = 0; again < 8; again += 1) await ask(url, RequestPasswordReset, { email });
  await allMailed();
  const resets = (await readMail(url)).filter(
    ({ to, subject }) => to === email && subject.startsWith('Choose'),
  );
  expect(resets).toHaveLength(4);
  // The owner is told of a new password, and it was not the strangers who used that up.
  const change = { currentPassword: PASSWORD, newPassword: 'a better password' };
  await ask(url, ChangePassword, change, token);
  await mailTo(url, email, /^Your password/);
  // The links of before are dead: so there are new ones.
  const dead = { token: resets[0]?.token ?? '', newPassword: PASSWORD };
  const refused = await execute(url, ResetPassword, dead);
  expect(refused.errors[0]?.extensions.code).toBe('TOKEN_INVALID');
  await ask(url, RequestPasswordReset, { email });
  const fresh = await mailTo(url, email, /^Choose/, 5);
  const used = { token: fresh.token, newPassword: PASSWORD };
  expect(await ask(url, ResetPassword, used)).toEqual({ resetPassword: true });
});

test('whose resets are used up has a link that works', async () => {
  const name = newName();
  const email = `${name}@example.com`;
  await signUp(email);
  await ask(url, VerifyEmail, { token: (await mailTo(url, email, /^Confirm/)).token });
  for (let again = 0; again < 8; again += 1) await ask(url, RequestPasswordReset, { email });
  await allMailed();
  const last = await mailTo(url, email, /^Choose/, 4);
  const used = { token: last.token, newPassword: 'a better password' };
  expect(await ask(url, ResetPassword, used)).toEqual({ resetPassword: true });
});

test('no counter holds an address', async () => {
  await signUp(`${newName()}@example.com`);
  await allMailed();
  const keys = await talebank.database.sql<{ key: string }>('SELECT key FROM rate_limits');
  expect(keys.filter(({ key }) => key.startsWith('mails:')).length).toBeGreaterThan(0);
  expect(keys.filter(({ key }) => /@|example/.test(key))).toEqual([]);
});
