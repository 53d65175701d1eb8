import type { Role } from '../domain/accounts/role.js';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { App } from './app.js';
import type { Config } from '../config.js';
import { transact } from '../infra/db.js';
import { isUniqueViolation } from '../infra/connections/database-errors.js';
import { hashPassword } from '../infra/passwords.js';
import { createUser, type NewUser } from './accounts/accounts.js';
import { changed, writeAudit } from './audit.sql.js';
import { createStory } from './stories/stories.js';

/** The login for trying Talebank. It is not created in production. */
export const DEMO_USER = {
  email: 'listener@talebank.local',
  password: 'once upon a time',
} as const;

export interface DemoAccount {
  readonly email: string;
  readonly password: string;
}

/**
 * The accounts that every client may know. The administrator is not one of them, because that password is made
 * for each installation, and only the terminal and DATA_DIR have it.
 */
export const demoAccountsOf = ({
  seed,
  production,
}: Pick<Config, 'seed' | 'production'>): readonly DemoAccount[] =>
  seed && !production ? [DEMO_USER] : [];

/** Creates a user, unless the address is taken. An existing user is not changed. */
export async function ensureUser(
  app: App,
  person: { email: string; password: string; displayName: string; role: Role },
): Promise<void> {
  const { password, ...user } = { ...person, email: person.email.toLowerCase() };
  if ((await app.db.user.count({ where: { email: user.email } })) > 0) return;
  const complete: NewUser = {
    ...user,
    passwordHash: await hashPassword(password),
    emailVerifiedAt: new Date(),
  };
  try {
    await transact(app.db, async (tx) => {
      const target = await createUser(app, tx, complete);
      if (person.role !== 'ADMIN') return;
      const action = 'createAdministrator';
      const details = { role: changed(null, 'ADMIN') };
      const at = new Date();
      await writeAudit(tx, [{ actorId: null, action, target, reason: null, details, at }]);
    });
  } catch (error) {
    // Another process has created the user first.
    if (!isUniqueViolation(error)) throw error;
  }
}

/**
 * Creates the first administrator. Does nothing if there is an active administrator, whatever the configuration says.
 * @returns whether a user has this address now
 */
export async function ensureAdministrator(
  app: App,
  admin: { email: string; password: string },
): Promise<boolean> {
  const { db } = app;
  if ((await db.user.count({ where: { role: 'ADMIN', suspendedAt: null } })) === 0)
    await ensureUser(app, { ...admin, displayName: 'Administrator', role: 'ADMIN' });
  return (await db.user.count({ where: { email: admin.email.toLowerCase() } })) > 0;
}

/** Adds the stories of a folder to a library that has never had any. @returns the number of stories */
export async function seedLibrary(app: App, folder: string): Promise<number> {
  if ((await app.db.story.count()) > 0) return 0;
  const files = (await readdir(folder)).filter((name) => name.endsWith('.md')).sort();
  for (const file of files) {
    const { head, content } = parseTale(await readFile(join(folder, file), 'utf8'));
    await createStory(
      app,
      {
        slug: head['slug'] ?? null,
        title: head['title'] ?? file,
        author: head['author'] ?? '',
        language: head['language'] ?? 'en',
        description: head['description'] ?? null,
        ageFrom: numberOf(head['ageFrom']),
        ageTo: numberOf(head['ageTo']),
        tags: head['tags']?.split(',') ?? null,
        content,
        published: true,
      },
      null,
    );
  }
  return files.length;
}

const numberOf = (text: string | undefined): number | null =>
  text === undefined ? null : Number(text);

/** Parses a file: lines of `name: value` between two lines of three hyphens, followed by the text. */
function parseTale(file: string): { head: Partial<Record<string, string>>; content: string } {
  const [, front = '', content = ''] = /^---\n([\s\S]*?)\n---\n([\s\S]*)$/.exec(file) ?? [];
  const pairs = front.split('\n').map((line): [string, string] => {
    const colon = line.indexOf(':');
    return [line.slice(0, colon).trim(), line.slice(colon + 1).trim()];
  });
  return {
    head: Object.fromEntries(pairs),
    content: content.trim(),
  };
}
