import { setTimeout as sleep } from 'node:timers/promises';
import { PATIENCE_MS } from './faults.js';

export interface SeenMail {
  readonly to: string;
  readonly subject: string;
  readonly text: string;
  /** The token in its link, or '' without a link. */
  readonly token: string;
}

const unescape = (html: string): string =>
  html
    .replace(/<[^<>]+>/g, '')
    .replace(/&lt;/g, '<')
    .replace(/&gt;/g, '>')
    .replace(/&quot;/g, '"')
    .replace(/&#39;/g, "'")
    .replace(/&amp;/g, '&');

/** What a person reads at /dev/mail, newest first. */
export async function readMail(url: string): Promise<SeenMail[]> {
  const html = await (await fetch(`${url}/dev/mail`)).text();
  return html
    .split('<article>')
    .slice(1)
    .map((article) => {
      const part = (pattern: RegExp): string => unescape(pattern.exec(article)?.[1] ?? '');
      const text = part(/<pre>([\s\S]*?)<\/pre>/);
      return {
        to: part(/<dt>To<\/dt><dd>(.*?)<\/dd>/),
        subject: part(/<h2>(.*?)<\/h2>/),
        text,
        token: /[?&]token=([\w-]+)/.exec(text)?.[1] ?? '',
      };
    });
}

/** The newest mail to an address whose subject matches; waits until there are so many of them. */
export async function mailTo(
  url: string,
  address: string,
  subject: RegExp,
  count = 1,
): Promise<SeenMail> {
  const deadline = Date.now() + PATIENCE_MS;
  for (;;) {
    const mails = (await readMail(url)).filter(
      (mail) => mail.to === address && subject.test(mail.subject),
    );
    const [newest] = mails;
    if (newest !== undefined && mails.length >= count) return newest;
    if (Date.now() > deadline) throw new Error(`${address} was not written to.`);
    await sleep(50);
  }
}
