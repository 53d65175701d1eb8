import type { App } from '../services/app.js';
import { sendMail } from '../services/accounts/mails.js';
import { sendMailQueue } from '../services/queues.js';

/** Sends mail. Without a mailer, mail stays in the queue until a process has one. */
export async function workOnSendMail(app: App): Promise<void> {
  if (app.mailer === null) {
    app.log.warn({ event: 'mail-not-configured' }, 'SMTP_URL is not set: mail waits in the queue');
    return;
  }
  await app.queue.work(sendMailQueue, { localConcurrency: 2 }, ({ payload }) =>
    sendMail(app, payload),
  );
}
