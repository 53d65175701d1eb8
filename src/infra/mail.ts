import { randomUUID } from 'node:crypto';
import { readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { createTransport } from 'nodemailer';
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

/** Drops the server's message, because it may name the recipient, whom neither a log nor a job's row may store. */
function withoutAddress(error: unknown): never {
  const { code = 'unknown', responseCode } = error as { code?: string; responseCode?: number };
  const answer = responseCode === undefined ? '' : `, which answered ${String(responseCode)}`;
  throw new Error(`The mail was not taken by the server${answer} (${code}).`);
}

export interface KeptMail extends Mail {
  readonly from: string;
  readonly at: string;
}

/** A mailbox for development: everything that was sent, on this machine. */
export interface Mailbox extends Mailer {
  /** Newest first. */
  read(): Promise<KeptMail[]>;
  /** Deletes mails that are older. @returns how many */
  prune(before: Date): Promise<number>;
}

const MOST_READ = 200;

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
      const newest = (await names()).reverse().slice(0, MOST_READ);
      const mails = await Promise.all(newest.map((name) => readFile(join(folder, name), 'utf8')));
      return mails.map((mail) => JSON.parse(mail) as KeptMail);
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
