import { randomUUID } from 'node:crypto';
import { readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { createTransport } from 'nodemailer';
import { z } from 'zod';
import { codeOf } from '../domain/errors.js';
import { propertyOf } from '../domain/objects.js';
import { makePrivateFolder, writePrivateFile } from './storage/private-files.js';

export interface Mail {
  /** An address. */
  readonly to: string;
  readonly subject: string;
  /** Plain text, in lines of any length. */
  readonly text: string;
}

export interface Mailer {
  /** Resolves when the mail was accepted. @throws when it was refused, temporarily or permanently */
  send(mail: Mail): Promise<void>;
  close(): void;
}

/** Hands mail over to a server. @param options.url `smtp://` or `smtps://`, with user and password in it */
export function createSmtpMailer(options: { url: string; from: string }): Mailer {
  const transport = createTransport(
    {
      url: options.url,
      connectionTimeout: 10_000,
      greetingTimeout: 10_000,
      socketTimeout: 20_000,
      // What is mailed is our own text: it names no files and no addresses to fetch.
      disableFileAccess: true,
      disableUrlAccess: true,
    },
    { from: options.from },
  );
  return {
    send: async ({ to, subject, text }) => {
      await transport
        .sendMail({ to: { name: '', address: to }, subject, text })
        .catch(withoutAddress);
    },
    close: () => {
      transport.close();
    },
  };
}

/**
 * Connects to a mail server, greets it, and signs in if the address has a user. It sends no mail.
 * @throws with the `code` of nodemailer
 */
export async function greetSmtp(url: string, limitMs: number): Promise<void> {
  const transport = createTransport({
    url,
    connectionTimeout: limitMs,
    greetingTimeout: limitMs,
    socketTimeout: limitMs,
  });
  try {
    await transport.verify();
  } finally {
    transport.close();
  }
}

/**
 * Why mail was not taken, without the server's message.
 * @returns the code of nodemailer, and the reply code of the server if it has answered
 */
export function mailRefusalOf(error: unknown): { code: string; status: string | undefined } {
  const status = propertyOf(error, 'responseCode');
  return {
    code: codeOf(error) ?? 'unknown',
    status: typeof status === 'number' ? String(status) : undefined,
  };
}

/** Drops the server's message, because it may name the recipient, whom neither a log nor a job's row may store. */
function withoutAddress(error: unknown): never {
  const { code, status } = mailRefusalOf(error);
  const answer = status === undefined ? '' : `, which answered ${status}`;
  throw new Error(`The mail was not taken by the server${answer} (${code}).`);
}

/** A mail in the file of a mailbox. */
const keptMail = z.object({
  at: z.string(),
  from: z.string(),
  to: z.string(),
  subject: z.string(),
  text: z.string(),
});

export type KeptMail = Readonly<z.infer<typeof keptMail>>;

/** A mailbox for development: everything that was sent, on this machine. */
export interface Mailbox extends Mailer {
  /** Newest first. */
  read(): Promise<KeptMail[]>;
  /** Deletes mails that are older. @returns how many */
  prune(before: Date): Promise<number>;
}

const MAILS_READ_MAX = 200;

/** Keeps each mail in a file of a folder that only this user can read. */
export async function openMailbox(options: { folder: string; from: string }): Promise<Mailbox> {
  const { folder, from } = options;
  await makePrivateFolder(folder);
  const names = async (): Promise<string[]> =>
    (await readdir(folder)).filter((name) => name.endsWith('.json')).sort();
  return {
    send: async (mail) => {
      const at = new Date().toISOString();
      const kept: KeptMail = { at, from, ...mail };
      // Names in the order of time, as far as file systems allow.
      const path = join(folder, `${at.replaceAll(':', '-')}-${randomUUID()}.json`);
      await writePrivateFile(path, JSON.stringify(kept));
    },
    read: async () => {
      const newest = (await names()).reverse().slice(0, MAILS_READ_MAX);
      const mails = await Promise.all(newest.map((name) => readFile(join(folder, name), 'utf8')));
      return mails.map((mail) => keptMail.parse(JSON.parse(mail)));
    },
    prune: async (before) => {
      const limit = before.toISOString().replaceAll(':', '-');
      const old = (await names()).filter((name) => name < limit);
      for (const name of old) await rm(join(folder, name), { force: true });
      return old.length;
    },
    close: () => undefined,
  };
}
