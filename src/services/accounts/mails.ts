import type { App } from '../../app.js';
import { newId } from '../../domain/ids.js';
import { inboxOf } from '../../domain/inboxes.js';
import type { Tx, User } from '../../infra/db.js';
import type { KeptMail, Mailer } from '../../infra/mail.js';
import { giveBackToLimit, tallyAgainstLimit } from '../limits.js';
import { sendMailQueue, type SendMailPayload } from '../queues.js';
import { issueEmailToken, withdrawEmailToken, type EmailPurpose } from './email-tokens.js';

export type { KeptMail };
type MailKind = SendMailPayload['mail'];

interface Letter {
  readonly subject: string;
  /** The page that the link opens, and the purpose of its token. */
  readonly link: { readonly page: string; readonly purpose: EmailPurpose } | null;
  readonly text: (link: string) => string;
}

const LETTERS: Readonly<Record<MailKind, Letter>> = {
  VERIFY: {
    subject: 'Confirm your e-mail address',
    link: { page: 'verify', purpose: 'VERIFY' },
    text: (link) => `Welcome to Talebank!

Please confirm that this address is yours:

${link}

The link is good once, for 24 hours. If you did not sign up, do nothing, and nothing will come of it.
`,
  },
  RESET: {
    subject: 'Choose a new password',
    link: { page: 'reset', purpose: 'RESET' },
    text: (link) => `Somebody, hopefully you, asked for a new password at Talebank. Choose it here:

${link}

The link is good once, for one hour, and all your devices are signed out when you use it. If you did not ask for it, do nothing: your password stays as it is.
`,
  },
  PASSWORD_CHANGED: {
    subject: 'Your password was changed',
    link: null,
    text: () => `The password of your account at Talebank was changed just now, and all other devices were signed out.

If that was not you, ask for a new password on the page where you sign in: that takes the account back.
`,
  },
};

/** Sends a mail after the transaction commits. The job holds only the user's id and the kind of mail. */
export const enqueueMail = (
  app: Pick<App, 'queue'>,
  tx: Tx,
  payload: SendMailPayload,
): Promise<void> => app.queue.enqueue(tx, sendMailQueue, [{ id: newId(), payload }]);

/**
 * Writes and sends a mail. Its token is made here, so that no queue ever stores it. A second delivery of the job sends
 * a second mail with its own token, and using one of them invalidates both.
 * @throws when it should be tried again
 */
export async function sendMail(
  app: App,
  { userId, mail, requestedAt }: SendMailPayload,
): Promise<void> {
  const user = await app.db.user.findFirst({ where: { id: userId, deletedAt: null } });
  // Requests for unknown addresses have a job too, because the answer must not differ.
  if (user === null || app.mailer === null) return;
  if (mail === 'VERIFY' && user.emailVerifiedAt !== null) return;
  if (mail === 'RESET' && isOutdated(user.passwordChangedAt, requestedAt)) return;
  const whose = budgetOf(mail, user);
  const { refusal } = await tallyAgainstLimit(app, { limit: 'mails', by: 'account', whose }, 1);
  if (refusal !== null) {
    app.metrics.mails.inc({ mail, result: 'limited' });
    return;
  }
  try {
    if (!(await deliver(app, app.mailer, mail, user))) {
      await giveBackToLimit(app, { limit: 'mails', whose });
      return;
    }
  } catch (error) {
    app.metrics.mails.inc({ mail, result: 'failed' });
    await giveBackToLimit(app, { limit: 'mails', whose });
    throw error;
  }
  app.metrics.mails.inc({ mail, result: 'sent' });
  app.log.info({ event: 'mail-sent', userId, mail }, 'mail sent');
}

/**
 * The key under which a mail is counted. A stranger can open accounts with another person's address, also with tags in
 * it, and delete and open them again. So all mails to unconfirmed addresses count by inbox. A confirmed address has its
 * own limit for each kind of mail, so that strangers cannot use up the mails that its owner needs. When the limit for
 * resets is used up, the owner can still use the last links, because they are valid as long as the limit counts. A
 * change of the password ends these links and begins a new limit.
 */
function budgetOf(mail: MailKind, { email, emailVerifiedAt, passwordChangedAt }: User): string {
  if (emailVerifiedAt === null) return `inbox:${inboxOf(email)}`;
  const since = mail === 'RESET' ? (passwordChangedAt?.toISOString() ?? '') : '';
  return `${mail}:${email}:${since}`;
}

/** @returns false when the account is gone. @throws when the mail server refuses the mail */
async function deliver(
  app: App,
  mailer: Mailer,
  mail: MailKind,
  { id, email: to }: Pick<User, 'id' | 'email'>,
): Promise<boolean> {
  const { subject, link, text } = LETTERS[mail];
  const token = link === null ? null : await issueEmailToken(app, id, link.purpose);
  if (link !== null && token === null) return false;
  const address = `${app.publicUrl()}/${link?.page ?? ''}?token=${token?.text ?? ''}`;
  try {
    await mailer.send({ to, subject, text: text(address) });
  } catch (error) {
    if (token !== null) await withdrawEmailToken(app, token);
    throw error;
  }
  return true;
}

/** Whether the password has been changed since a reset was requested. A delayed mail must not open the account then. */
const isOutdated = (changedAt: Date | null, requestedAt: string | undefined): boolean =>
  changedAt !== null && requestedAt !== undefined && new Date(requestedAt) <= changedAt;

/** The mails of development, newest first. */
export const readMailbox = (app: Pick<App, 'mailbox'>): Promise<KeptMail[]> =>
  app.mailbox?.read() ?? Promise.resolve([]);
