import type { App } from '../app.js';
import type { EmailPurpose } from '../../domain/accounts/email-purpose.js';
import { newId } from '../../domain/ids.js';
import { inboxOf } from '../../domain/inboxes.js';
import type { Tx, User } from '../../infra/db.js';
import type { KeptMail, Mailer } from '../../infra/mail.js';
import { giveBackToLimit, tallyAgainstLimit } from '../limits.js';
import { LETTERS, mailLanguageOf, type Letter } from '../mails/letters.js';
import { letterOf } from '../mails/notice-letters.js';
import type { NoticeKind } from '../notices/notices.js';
import { sendMailQueue, type SendMailPayload } from '../queues.js';
import { storiesById } from '../stories/stories.js';
import { issueEmailToken, withdrawEmailToken } from './email-tokens.js';

export type { KeptMail };
type MailKind = SendMailPayload['mail'];

/** The page that the link of a mail opens, and the purpose of its token. */
const LINKS: Readonly<Partial<Record<MailKind, { page: string; purpose: EmailPurpose }>>> = {
  VERIFY: { page: 'verify', purpose: 'VERIFY' },
  RESET: { page: 'reset', purpose: 'RESET' },
  EMAIL_CHANGE: { page: 'verify', purpose: 'CHANGE' },
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
export async function sendMail(app: App, payload: SendMailPayload): Promise<void> {
  const { userId, mail, requestedAt, noticeId } = payload;
  const user = await app.db.user.findFirst({ where: { id: userId, deletedAt: null } });
  // Requests for unknown addresses have a job too, because the answer must not differ.
  if (user === null || app.mailer === null) return;
  if (mail === 'VERIFY' && user.emailVerifiedAt !== null) return;
  if (mail === 'RESET' && isOutdated(user.passwordChangedAt, requestedAt)) return;
  const letter = await letterFor(app, user, mail, noticeId);
  const to = await addresseeOf(app, user, payload);
  if (letter === null || to === null) return;
  const whose = budgetOf(mail, user, to);
  const { refusal } = await tallyAgainstLimit(app, { limit: 'mails', by: 'account', whose }, 1);
  if (refusal !== null) {
    app.metrics.mails.inc({ mail, result: 'limited' });
    return;
  }
  try {
    if (!(await deliver(app, app.mailer, { mail, letter, to }, user))) {
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
function budgetOf(
  mail: MailKind,
  { emailVerifiedAt, passwordChangedAt }: User,
  to: string,
): string {
  if (emailVerifiedAt === null || mail === 'EMAIL_CHANGE') return `inbox:${inboxOf(to)}`;
  const since = mail === 'RESET' ? (passwordChangedAt?.toISOString() ?? '') : '';
  return `${mail}:${to}:${since}`;
}

/**
 * The address that a mail goes to. Both notices of a change go to the address that the user had before it, also when
 * the next change has followed already.
 * @returns null when there is no such change any more, and for a new address that another account has
 */
async function addresseeOf(
  app: App,
  user: User,
  { mail, formerEmailId }: SendMailPayload,
): Promise<string | null> {
  if (mail !== 'EMAIL_CHANGE' && mail !== 'EMAIL_CHANGE_ASKED' && mail !== 'EMAIL_CHANGED')
    return user.email;
  if (formerEmailId !== undefined) {
    const where = { userId_id: { userId: user.id, id: formerEmailId } };
    return (await app.db.formerEmail.findUnique({ where }))?.email ?? null;
  }
  const change = await app.db.emailChange.findUnique({ where: { userId: user.id } });
  if (change === null) return null;
  // Jobs of an earlier release do not say where the address is stored.
  if (mail !== 'EMAIL_CHANGE') return change.oldEmail;
  const isTaken = (await app.db.user.count({ where: { email: change.newEmail } })) > 0;
  return isTaken ? null : change.newEmail;
}

/** @returns null for a notice that is gone, or whose narration is, or that the user does not want by mail any more */
async function letterFor(
  app: App,
  { id: userId, locale, mailOn }: Pick<User, 'id' | 'locale' | 'mailOn'>,
  mail: MailKind,
  noticeId: string | undefined,
): Promise<Letter | null> {
  const language = mailLanguageOf(locale);
  if (mail !== 'NOTICE') return LETTERS[mail][language];
  const id = noticeId ?? '';
  const notice = await app.db.notice.findUnique({ where: { userId_id: { userId, id } } });
  if (notice === null || !mailOn.includes(notice.kind)) return null;
  const title = await titleOf(app, userId, notice.audioId);
  if (title === null) return null;
  return letterOf(language, notice.kind as NoticeKind, { ...notice, title });
}

/** @returns '' for no narration, and null for one that was deleted */
async function titleOf(app: App, userId: string, audioId: string | null): Promise<string | null> {
  if (audioId === null) return '';
  const where = { userId_id: { userId, id: audioId } };
  const audio = await app.db.audio.findUnique({ where, select: { storyId: true } });
  if (audio === null) return null;
  return (await storiesById(app, [audio.storyId])).get(audio.storyId)?.title ?? null;
}

/**
 * @returns false when the account was deleted, or has another address now.
 * @throws when the mail server refuses the mail
 */
async function deliver(
  app: App,
  mailer: Mailer,
  { mail, letter: { subject, text }, to }: { mail: MailKind; letter: Letter; to: string },
  { id }: Pick<User, 'id'>,
): Promise<boolean> {
  const link = LINKS[mail];
  const token =
    link === undefined ? null : await issueEmailToken(app, id, { purpose: link.purpose, to });
  if (link !== undefined && token === null) return false;
  const page = link === undefined ? '' : `${link.page}?token=${token?.text ?? ''}`;
  try {
    await mailer.send({ to, subject, text: text(`${app.publicUrl()}/${page}`) });
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
