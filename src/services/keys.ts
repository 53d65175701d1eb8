import { randomBytes } from 'node:crypto';
import type { Db } from '../infra/db.js';
import { makeSigningKey, openKeyRing, type KeyRing, type StoredKey } from '../infra/tokens.js';

/** The keys that sign access tokens; a first start makes one, also when several processes start at once. */
export async function loadKeyRing(db: Db): Promise<KeyRing> {
  if ((await db.signingKey.count()) === 0) {
    const { kid, privateJwk } = await makeSigningKey();
    await db.$executeRaw`
      INSERT INTO signing_keys (kid, private_jwk)
      SELECT ${kid}, ${JSON.stringify(privateJwk)}::jsonb WHERE NOT EXISTS (SELECT FROM signing_keys)`;
  }
  const rows = await db.signingKey.findMany({ orderBy: [{ createdAt: 'desc' }, { kid: 'asc' }] });
  return openKeyRing(
    rows.map(({ kid, privateJwk }) => ({ kid, privateJwk }) as unknown as StoredKey),
  );
}

/** 32 random bytes that every process of this installation shares. */
export async function loadSecret(db: Db, name: string): Promise<Uint8Array> {
  const value = new Uint8Array(randomBytes(32));
  await db.$executeRaw`
    INSERT INTO secrets (name, value) VALUES (${name}, ${value}) ON CONFLICT (name) DO NOTHING`;
  return (await db.secret.findUniqueOrThrow({ where: { name } })).value;
}
