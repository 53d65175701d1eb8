import { createHash } from 'node:crypto';
import type { FastifyInstance } from 'fastify';
import type { App } from '../services/app.js';
import { readMailbox, type KeptMail } from '../services/accounts/mails.js';
import { isFromHere } from './requests.js';

const STYLE = `
  :root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; }
  body { max-width: 46rem; margin: 2rem auto; padding: 0 1rem; }
  h1 { font-size: 1.4rem; }
  article { border: 1px solid #8886; border-radius: 8px; padding: 0 1.2rem; margin: 1.2rem 0; }
  h2 { font-size: 1.1rem; margin-bottom: 0.4rem; }
  dl { display: grid; grid-template-columns: max-content 1fr; gap: 0 1rem; margin: 0; opacity: 0.8; }
  dd { margin: 0; }
  pre { font: inherit; white-space: pre-wrap; overflow-wrap: anywhere; }
`;
const POLICY = `default-src 'none'; style-src 'sha256-${createHash('sha256').update(STYLE).digest('base64')}'; frame-ancestors 'none'`;

/** Serves the mailbox of development at /dev/mail, newest mail first, to this machine only. */
export function serveMailbox(server: FastifyInstance, app: App): void {
  if (app.mailbox === null) return;
  server.get('/dev/mail', async (request, reply) => {
    if (!isFromHere(request)) {
      reply.callNotFound();
      return reply;
    }
    const mails = await readMailbox(app);
    return reply
      .headers({ 'content-security-policy': POLICY, 'cache-control': 'no-store' })
      .type('text/html; charset=utf-8')
      .send(page(mails));
  });
}

const ESCAPES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};
const escape = (text: string): string => text.replace(/[&<>"']/g, (found) => ESCAPES[found] ?? '');

/** Escapes a text, and makes links of the addresses in it. */
const linked = (text: string): string =>
  escape(text).replace(/https?:\/\/[^\s<]+/g, (address) => `<a href="${address}">${address}</a>`);

const article = ({ at, from, to, subject, text }: KeptMail): string => `<article>
<h2>${escape(subject)}</h2>
<dl><dt>To</dt><dd>${escape(to)}</dd><dt>From</dt><dd>${escape(from)}</dd><dt>At</dt><dd><time datetime="${at}">${at}</time></dd></dl>
<pre>${linked(text)}</pre>
</article>`;

const page = (mails: readonly KeptMail[]): string => `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Mail</title>
<style>${STYLE}</style>
<h1>Mail</h1>
<p>What Talebank would have mailed, newest first. Set <code>SMTP_URL</code> to have it sent.</p>
${mails.length === 0 ? '<p>Nothing yet.</p>' : mails.map(article).join('\n')}
</html>`;
