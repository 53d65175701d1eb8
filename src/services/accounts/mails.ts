import type { App } from '../../app.js';
import type { KeptMail } from '../../infra/mail.js';
import { newId } from '../../domain/ids.js';
import type { Tx } from '../../infra/db.js';
import { sendMailQueue, type SendMailPayload } from '../queues.js';
import { issueEmailToken, withdrawEmailToken, type EmailPurpose } from './email-tokens.js';

export type { KeptMail };
type MailKind = SendMailPayload['mail'];

interface Letter {
  readonly subject: string;
  /** The page that a link leads to, and what its token is for. */
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

/** Has a mail sent when the transaction commits. The job knows whom and what, and nothing else. */
export const enqueueMail = (
  app: Pick<App, 'queue'>,
  tx: Tx,
  payload: SendMailPayload,
): Promise<void> => app.queue.enqueue(tx, sendMailQueue, [{ id: newId(), payload }]);

/**
 * Writes and sends a mail. Its token is made here, so that no queue ever holds it; a second delivery of the
 * job sends a second mail with a token of its own, and using either uses up both.
 * @throws when it should be tried again
 */
export async function sendMail(
  app: App,
  { userId, mail, requestedAt }: SendMailPayload,
): Promise<void> {
  const user = await app.db.user.findFirst({ where: { id: userId, deletedAt: null } });
  // Also for an address that nobody has: whoever asked must not see a difference.
  if (user === null || app.mailer === null) return;
  if (mail === 'VERIFY' && user.emailVerifiedAt !== null) return;
  if (mail === 'RESET' && isOutdated(user.passwordChangedAt, requestedAt)) return;
  const { subject, link, text } = LETTERS[mail];
  const token = link === null ? null : await issueEmailToken(app, userId, link.purpose);
  if (link !== null && token === null) return;
  const address = `${app.publicUrl()}/${link?.page ?? ''}?token=${token?.text ?? ''}`;
  try {
    await app.mailer.send({ to: user.email, subject, text: text(address) });
  } catch (error) {
    app.metrics.mails.inc({ mail, result: 'failed' });
    if (token !== null) await withdrawEmailToken(app, token);
    throw error;
  }
  app.metrics.mails.inc({ mail, result: 'sent' });
  app.log.info({ userId, mail }, 'mail sent');
}

/** A mail that had to wait shall not open an account whose owner has chosen a new password meanwhile. */
const isOutdated = (changedAt: Date | null, requestedAt: string | undefined): boolean =>
  changedAt !== null && requestedAt !== undefined && new Date(requestedAt) <= changedAt;

/** What was mailed in development, newest first. */
export const readMailbox = (app: Pick<App, 'mailbox'>): Promise<KeptMail[]> =>
  app.mailbox?.read() ?? Promise.resolve([]);
