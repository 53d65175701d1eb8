import type { App } from '../../app.js';

/** A person, without what is nobody's business. */
export interface UserView {
  readonly id: string;
  readonly email: string;
  readonly emailVerifiedAt: Date | null;
  readonly displayName: string | null;
  readonly role: 'USER' | 'ADMIN';
  readonly suspendedAt: Date | null;
  readonly monthlyCredits: number | null;
  readonly createdAt: Date;
}

export async function usersById(app: App, ids: readonly string[]): Promise<Map<string, UserView>> {
  const rows = await app.db.user.findMany({
    where: { id: { in: [...ids] } },
    omit: { passwordHash: true },
  });
  return new Map(rows.map((row) => [row.id, row]));
}
