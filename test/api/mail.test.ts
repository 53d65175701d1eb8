import { get } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { setTimeout as sleep } from 'node:timers/promises';
import { SMTPServer } from 'smtp-server';
import { ask, execute, send } from '../support/client.js';
import { until } from '../support/faults.js';
import { mailTo, readMail } from '../support/mail.js';
import {
  ChangePassword,
  Login,
  Refresh,
  RequestPasswordReset,
  ResendVerification,
  ResetPassword,
  VerifyEmail,
} from '../support/operations.js';
import { newListener, PASSWORD, type Person } from '../support/people.js';
import { loggedBy, type ServerProcess, startTalebank, type Talebank } from '../support/talebank.js';

const VERIFY = /^Confirm/;
const RESET = /^Choose a new/;

let talebank: Talebank;
let url: string;
let other: ServerProcess;

beforeAll(async () => {
  talebank = await startTalebank();
  url = talebank.url;
  other = await talebank.join({ ROLE: 'api' });
});
afterAll(() => talebank.close());

const codeOf = async (
  answer: Promise<{ errors: readonly { extensions: { code: string } }[] }>,
): Promise<string | undefined> => (await answer).errors[0]?.extensions.code;

/** Waits until so many mails were dealt with, sent or not. */
const expectDone = async ({ database }: Talebank, count: number): Promise<void> => {
  const deadline = Date.now() + 60_000;
  for (;;) {
    const done = await database.sql(
      `SELECT 1 FROM pgboss.job WHERE name = 'send-mail' AND state = 'completed'`,
    );
    if (done.length === count) return;
    if (Date.now() > deadline) throw new Error(`${String(done.length)} mails are done.`);
    await sleep(50);
  }
};

/** Waits until whatever was to be mailed by now has been. */
const allMailed = (): Promise<void> =>
  until('all is mailed', async () => {
    const left = await talebank.database.sql(
      `SELECT FROM pgboss.job WHERE name = 'send-mail' AND state IN ('created', 'retry', 'active')`,
    );
    return left.length === 0;
  });

const isVerified = async ({ token }: Person): Promise<boolean | undefined> =>
  (await send<{ me: { emailVerified: boolean } }>(url, '{ me { emailVerified } }', {}, { token }))
    .data?.me.emailVerified;

const audited = ({ id }: Person): Promise<{ action: string }[]> =>
  talebank.database.sql('SELECT action FROM audit_entries WHERE target = $1', [id]);

test('an address is confirmed by the link that is mailed to it, once', async () => {
  const person = await newListener(url);
  const { token, text } = await mailTo(url, person.email, VERIFY);
  expect(text).toContain(`${url}/verify?token=${token}`);
  expect(await isVerified(person)).toBe(false);
  expect(await ask(url, VerifyEmail, { token })).toEqual({ verifyEmail: true });
  expect(await isVerified(person)).toBe(true);
  expect(await codeOf(execute(url, VerifyEmail, { token }))).toBe('TOKEN_INVALID');
  expect(await audited(person)).toEqual([{ action: 'verifyEmail' }]);
  // Nothing to confirm any more: nothing is mailed.
  expect(await ask(url, ResendVerification, {}, person.token)).toEqual({
    resendVerification: true,
  });
  await allMailed();
  const mails = (await readMail(url)).filter(({ to }) => to === person.email);
  expect(mails).toHaveLength(1);
});

test('the link can be asked for again; any of them will do, and then none of them', async () => {
  const person = await newListener(url);
  const first = await mailTo(url, person.email, VERIFY);
  await ask(url, ResendVerification, {}, person.token);
  const second = await mailTo(url, person.email, VERIFY, 2);
  expect(second.token).not.toBe(first.token);
  await ask(url, VerifyEmail, { token: first.token });
  expect(await codeOf(execute(url, VerifyEmail, { token: second.token }))).toBe('TOKEN_INVALID');
  expect(await codeOf(execute(url, ResendVerification, {}))).toBe('UNAUTHENTICATED');
});

test('a forgotten password is set anew by a mailed link, and every device is signed out everywhere', async () => {
  const person = await newListener(url);
  const { email } = person;
  await ask(url, RequestPasswordReset, { email: email.toUpperCase() });
  const { token, text } = await mailTo(url, email, RESET);
  expect(text).toContain(`${url}/reset?token=${token}`);

  // A password that is refused leaves the link good.
  for (const newPassword of ['short', 'password123', 'x'.repeat(257)])
    expect(await codeOf(execute(url, ResetPassword, { token, newPassword }))).toBe(
      'BAD_USER_INPUT',
    );
  const newPassword = 'quite another one';
  expect(await ask(url, ResetPassword, { token, newPassword })).toEqual({ resetPassword: true });
  for (const at of [url, other.url]) {
    const standing = (): Promise<string | undefined> =>
      codeOf(send(at, '{ me { id } }', {}, { token: person.token }));
    // Without a notice, a process believes what it knows for a minute.
    await until('it is refused', async () => (await standing()) === 'UNAUTHENTICATED', 30_000);
  }
  const { refreshToken } = person;
  expect(await codeOf(execute(url, Refresh, { refreshToken }))).toBe('REFRESH_TOKEN_INVALID');
  const old = { input: { email, password: PASSWORD } };
  expect(await codeOf(execute(url, Login, old))).toBe('INVALID_CREDENTIALS');
  const { login } = await ask(url, Login, { input: { email, password: newPassword } });
  // A person who can read the mail owns the address.
  expect(await isVerified({ ...person, token: login.accessToken })).toBe(true);
  expect(await codeOf(execute(url, ResetPassword, { token, newPassword }))).toBe('TOKEN_INVALID');
  await mailTo(url, email, /password was changed/);
  expect(await audited(person)).toEqual([{ action: 'resetPassword' }]);
});

test('of two who use a link at once, one does', async () => {
  for (let round = 0; round < 5; round += 1) {
    const { email } = await newListener(url);
    await ask(url, RequestPasswordReset, { email });
    const { token } = await mailTo(url, email, RESET);
    const answers = await Promise.all(
      [url, other.url, url, other.url].map((at, index) =>
        codeOf(execute(at, ResetPassword, { token, newPassword: `new password ${String(index)}` })),
      ),
    );
    expect(answers.filter((code) => code === undefined)).toHaveLength(1);
    expect(answers.filter((code) => code === 'TOKEN_INVALID')).toHaveLength(3);
  }
});

test('a link is good for what it was mailed for, and for as long as it says', async () => {
  const { email, id } = await newListener(url);
  const verify = await mailTo(url, email, VERIFY);
  await ask(url, RequestPasswordReset, { email });
  const reset = await mailTo(url, email, RESET);
  const newPassword = 'quite another one';
  const wrongs = [verify.token, '', 'nonsense', reset.token.slice(0, -1), `${reset.token}A`];
  for (const token of wrongs)
    expect(await codeOf(execute(url, ResetPassword, { token, newPassword }))).toBe('TOKEN_INVALID');
  expect(await codeOf(execute(url, VerifyEmail, { token: reset.token }))).toBe('TOKEN_INVALID');

  const hours = await talebank.database.sql<{ purpose: string; hours: number }>(
    `SELECT purpose, (extract(epoch FROM expires_at - created_at) / 3600)::int AS hours
     FROM email_tokens WHERE user_id = $1 ORDER BY purpose`,
    [id],
  );
  expect(hours).toEqual([
    { purpose: 'RESET', hours: 1 },
    { purpose: 'VERIFY', hours: 24 },
  ]);
  await talebank.database.sql(
    `UPDATE email_tokens SET expires_at = now() - interval '1 second' WHERE user_id = $1`,
    [id],
  );
  const { token } = reset;
  expect(await codeOf(execute(url, ResetPassword, { token, newPassword }))).toBe('TOKEN_INVALID');
  expect(await codeOf(execute(url, VerifyEmail, { token: verify.token }))).toBe('TOKEN_INVALID');
  await ask(url, Login, { input: { email, password: PASSWORD } });
});

test('asking for a new password does not reveal whether the account exists', async () => {
  const { email } = await newListener(url);
  await mailTo(url, email, VERIFY);
  const answers = await Promise.all(
    [email, 'nobody@example.com'].map((address) =>
      execute(url, RequestPasswordReset, { email: address }),
    ),
  );
  const [known, unknown] = answers.map(({ status, data, errors }) => ({ status, data, errors }));
  expect(known).toEqual(unknown);
  await mailTo(url, email, RESET);
  await allMailed();
  const mails = await readMail(url);
  expect(mails.filter(({ to }) => to === 'nobody@example.com')).toEqual([]);
  expect(mails.filter(({ to }) => to === email)).toHaveLength(2);
  expect(await codeOf(execute(url, RequestPasswordReset, { email: 'no address' }))).toBe(
    'BAD_USER_INPUT',
  );
});

test('no queue, no table and no log ever holds a link', async () => {
  const person = await newListener(url);
  await ask(url, RequestPasswordReset, { email: person.email });
  const [verify, reset] = await Promise.all([
    mailTo(url, person.email, VERIFY),
    mailTo(url, person.email, RESET),
  ]);
  const everything = JSON.stringify([
    await talebank.database.sql('SELECT * FROM pgboss.job'),
    await talebank.database.sql(`SELECT encode(hash, 'base64') AS hash FROM email_tokens`),
    talebank.server.logs(),
  ]);
  for (const { token } of [verify, reset]) {
    expect(token).toHaveLength(64);
    expect(everything).not.toContain(token);
  }
  expect(everything).not.toContain(person.email);
});

test('a changed password is told to its owner, and takes its worth from links mailed before', async () => {
  const { email, token } = await newListener(url);
  await ask(url, RequestPasswordReset, { email });
  const link = await mailTo(url, email, RESET);
  const newPassword = 'quite another one';
  await ask(url, ChangePassword, { currentPassword: PASSWORD, newPassword }, token);
  await mailTo(url, email, /password was changed/);
  const used = execute(url, ResetPassword, { token: link.token, newPassword: 'a thief’s own' });
  expect(await codeOf(used)).toBe('TOKEN_INVALID');
  await ask(url, Login, { input: { email, password: newPassword } });
});

test('a link that was asked for before the password was changed is not mailed after it', async () => {
  const apart = await startTalebank({ ROLE: 'api' });
  try {
    const { email, token, id } = await newListener(apart.url);
    await ask(apart.url, RequestPasswordReset, { email });
    const passwords = { currentPassword: PASSWORD, newPassword: 'quite another one' };
    await ask(apart.url, ChangePassword, passwords, token);
    await apart.join({ ROLE: 'worker', PUBLIC_URL: apart.url });
    await mailTo(apart.url, email, /password was changed/);
    await mailTo(apart.url, email, VERIFY);
    await expectDone(apart, 3);
    expect((await readMail(apart.url)).filter((mail) => RESET.exec(mail.subject))).toEqual([]);
    // The next request gets a mail.
    await ask(apart.url, RequestPasswordReset, { email });
    await mailTo(apart.url, email, RESET);
    const purposes = await apart.database.sql(
      'SELECT purpose FROM email_tokens WHERE user_id = $1 ORDER BY purpose',
      [id],
    );
    expect(purposes).toEqual([{ purpose: 'RESET' }, { purpose: 'VERIFY' }]);
  } finally {
    await apart.close();
  }
});

test('common passwords are refused, in any case, and long ones of any characters are taken', async () => {
  const register = (password: string): Promise<string | undefined> => {
    const email = `p${String(Math.random()).slice(2)}@example.com`;
    const document =
      'mutation ($input: RegisterInput!) { register(input: $input) { accessToken } }';
    return codeOf(send(url, document, { input: { email, password } }));
  };
  for (const common of ['password', 'Password123', 'QWERTYUIOP', 'iloveyou'])
    expect(await register(common)).toBe('BAD_USER_INPUT');
  for (const good of [
    '🌙'.repeat(8),
    'żółw śpi na łące',
    ' leading and trailing ',
    'x'.repeat(256),
  ])
    expect(await register(good)).toBeUndefined();
});

const statusUnder = (host: string): Promise<number | undefined> =>
  new Promise((resolve, reject) => {
    get(`${url}/dev/mail`, { headers: { host } }, (response) => {
      resolve(response.resume().statusCode);
    }).on('error', reject);
  });

test('what came for development is shown to this machine alone, as text', async () => {
  const page = await fetch(`${url}/dev/mail`);
  expect(page.headers.get('content-security-policy')).toContain("default-src 'none'");
  expect(page.headers.get('cache-control')).toBe('no-store');
  const passedOn = await fetch(`${url}/dev/mail`, { headers: { 'x-forwarded-for': '192.0.2.1' } });
  expect(passedOn.status).toBe(404);
  // A page of another site whose host name resolves to this server.
  expect(await statusUnder('rebound.example')).toBe(404);
  for (const name of ['localhost', '127.0.0.1:80', '[::1]:4000'])
    expect(await statusUnder(name)).toBe(200);
  const email = `"<b>bold</b>"@example.com`;
  const input = { email, password: PASSWORD };
  await send(url, 'mutation ($input: RegisterInput!) { register(input: $input) { accessToken } }', {
    input,
  });
  await allMailed();
  expect(await (await fetch(`${url}/dev/mail`)).text()).not.toContain('<b>bold');
});

test('with SMTP_URL mail goes through a server, as often as it takes, and there is no mailbox', async () => {
  const received: { to: string; data: string }[] = [];
  let refusals = 2;
  const smtp = new SMTPServer({
    authOptional: true,
    disabledCommands: ['STARTTLS'],
    onRcptTo: (_address, _session, callback) => {
      refusals -= 1;
      callback(refusals >= 0 ? Object.assign(new Error('later'), { responseCode: 451 }) : null);
    },
    onData: (stream, session, callback) => {
      let data = '';
      stream.on('data', (chunk: Buffer) => (data += chunk.toString()));
      stream.on('end', () => {
        received.push({ to: session.envelope.rcptTo[0]?.address ?? '', data });
        callback();
      });
    },
  });
  smtp.listen(0, '127.0.0.1');
  await once(smtp.server, 'listening');
  const { port } = smtp.server.address() as AddressInfo;
  const mailing = await startTalebank({
    SMTP_URL: `smtp://127.0.0.1:${String(port)}`,
    MAIL_FROM: 'Tales <tales@example.com>',
    PUBLIC_URL: 'https://tales.example.com',
    // What was not taken does not count.
    RATE_LIMIT_FACTOR: '1',
    RATE_LIMIT_MAILS: '1/3600',
  });
  try {
    expect((await fetch(`${mailing.url}/dev/mail`)).status).toBe(404);
    // The queue waits before it tries again: a test need not.
    await mailing.database.sql(`UPDATE pgboss.queue SET retry_delay = 0 WHERE name = 'send-mail'`);
    const { email } = await newListener(mailing.url);
    const deadline = Date.now() + 120_000;
    while (received.length === 0 && Date.now() < deadline) await sleep(100);
    const [mail] = received;
    expect(mail?.to).toBe(email);
    // As it travels: long lines are folded with = at their ends.
    const data = mail?.data.replace(/=\r\n/g, '').replaceAll('=3D', '=') ?? '';
    expect(data).toMatch(/^From: Tales <tales@example.com>/m);
    const token = /https:\/\/tales\.example\.com\/verify\?token=([\w-]+)/.exec(data)?.[1] ?? '';
    expect(await ask(mailing.url, VerifyEmail, { token })).toEqual({ verifyEmail: true });
    // Attempts that reached no account left no token behind.
    expect(await mailing.database.sql('SELECT 1 FROM email_tokens')).toEqual([]);
    expect(JSON.stringify(mailing.server.logs())).not.toContain(token);
  } finally {
    await mailing.close();
    await new Promise<void>((resolve) => {
      smtp.close(resolve);
    });
  }
});

test('in production without SMTP_URL mail waits, and the log says so', async () => {
  const waiting = await startTalebank({ NODE_ENV: 'production' });
  try {
    await newListener(waiting.url);
    await sleep(1500);
    const jobs = await waiting.database.sql(
      `SELECT state::text FROM pgboss.job WHERE name = 'send-mail'`,
    );
    expect(jobs).toEqual([{ state: 'created' }]);
    await loggedBy(
      waiting.server,
      ({ msg }) => msg === 'SMTP_URL is not set: mail waits in the queue',
    );
    expect((await fetch(`${waiting.url}/dev/mail`)).status).toBe(404);
  } finally {
    await waiting.close();
  }
});
