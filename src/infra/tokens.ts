import { createCipheriv, createDecipheriv, createHash, hkdfSync, randomBytes } from 'node:crypto';
import {
  decodeProtectedHeader,
  exportJWK,
  generateKeyPair,
  importJWK,
  jwtVerify,
  SignJWT,
  type CryptoKey,
  type JWK,
} from 'jose';
import { LRUCache } from 'lru-cache';
import { idOfHex } from '../domain/ids.js';

const ISSUER = 'talebank';
const AUDIENCE = 'talebank-api';
const ALGORITHM = 'EdDSA';
const TYPE = 'at+jwt';
/** Tokens whose signatures need not be checked again. */
const REMEMBERED_MAX = 10_000;

interface AccessClaims {
  readonly userId: string;
  readonly sessionId: string;
}

export interface StoredKey {
  readonly kid: string;
  readonly privateJwk: JWK;
}

/** Signs with its first key and accepts all of them. */
export interface KeyRing {
  sign(claims: AccessClaims, lifetime: { issuedAt: Date; expiresAt: Date }): Promise<string>;
  /** @returns null for anything but a token of ours that is valid now */
  verify(token: string): Promise<AccessClaims | null>;
  /** As JSON Web Keys, without what is secret. */
  publicKeys(): Promise<JWK[]>;
}

/** A new Ed25519 key. */
export async function makeSigningKey(): Promise<StoredKey> {
  const { privateKey } = await generateKeyPair(ALGORITHM, { crv: 'Ed25519', extractable: true });
  return { kid: randomBytes(12).toString('base64url'), privateJwk: await exportJWK(privateKey) };
}

/** @param keys the one that signs first, at least one */
export async function openKeyRing(keys: readonly StoredKey[]): Promise<KeyRing> {
  const [first] = keys;
  if (first === undefined) throw new Error('A key ring needs a key.');
  const signingKey = await importKey(first.privateJwk);
  const publicKeys = new Map<string, CryptoKey>();
  const published: JWK[] = [];
  // A signature that was right stays right while these are the keys.
  const verified = new LRUCache<string, { claims: AccessClaims; expiresAtMs: number }>({
    max: REMEMBERED_MAX,
  });
  for (const { kid, privateJwk } of keys) {
    const { d: _secret, ...publicJwk } = privateJwk;
    publicKeys.set(kid, await importKey(publicJwk));
    published.push({ ...publicJwk, kid, alg: ALGORITHM, use: 'sig' });
  }
  return {
    publicKeys: () => Promise.resolve(published),
    sign: ({ userId, sessionId }, { issuedAt, expiresAt }) =>
      new SignJWT({ sid: sessionId })
        .setProtectedHeader({ alg: ALGORITHM, typ: TYPE, kid: first.kid })
        .setIssuer(ISSUER)
        .setAudience(AUDIENCE)
        .setSubject(userId)
        .setIssuedAt(issuedAt)
        .setExpirationTime(expiresAt)
        .sign(signingKey),
    verify: async (token) => {
      const known = verified.get(token);
      if (known !== undefined) return known.expiresAtMs > Date.now() ? known.claims : null;
      try {
        const { payload } = await jwtVerify(
          token,
          ({ kid }) => {
            // Only our own keys, found by their key id. Anything else in the header, such as a key, is ignored.
            const key = kid === undefined ? undefined : publicKeys.get(kid);
            if (key === undefined) throw new Error('unknown key');
            return key;
          },
          {
            algorithms: [ALGORITHM],
            issuer: ISSUER,
            audience: AUDIENCE,
            typ: TYPE,
            requiredClaims: ['sub', 'exp', 'iat'],
          },
        );
        const { sub, sid, exp = 0 } = payload;
        if (typeof sub !== 'string' || typeof sid !== 'string') return null;
        const claims = { userId: sub, sessionId: sid };
        verified.set(token, { claims, expiresAtMs: exp * 1000 });
        return claims;
      } catch {
        return null;
      }
    },
  };
}

async function importKey(jwk: JWK): Promise<CryptoKey> {
  const key = await importJWK(jwk, ALGORITHM);
  // Only a symmetric key is bytes.
  if (key instanceof Uint8Array) throw new Error(`The key is not one for ${ALGORITHM}.`);
  return key;
}

/** Which key a token says it was signed with; undefined when it says nothing. */
export function nameOfKey(token: string): string | undefined {
  try {
    return decodeProtectedHeader(token).kid;
  } catch {
    return undefined;
  }
}

const SECRET_BYTES = 32;
const ID_BYTES = 16;

/** A refresh token: the id of its user, so that the look-up only reads that user's rows, and 256 random bits. */
export interface OpaqueToken {
  readonly userId: string;
  /** What the client keeps. */
  readonly text: string;
  /** SHA-256, all that is stored. */
  readonly hash: Uint8Array<ArrayBuffer>;
}

/**
 * Makes a refresh token for a user with a new secret. Its text has 64 characters of base64url.
 * @param userId a UUID
 */
export function makeOpaqueToken(userId: string): OpaqueToken {
  const id = Buffer.from(userId.replaceAll('-', ''), 'hex');
  return parseBytes(Buffer.concat([id, randomBytes(SECRET_BYTES)]));
}

/** @returns null for what cannot be a refresh token */
export function parseOpaqueToken(text: string): OpaqueToken | null {
  const bytes = Buffer.from(text, 'base64url');
  const whole = bytes.length === ID_BYTES + SECRET_BYTES && bytes.toString('base64url') === text;
  return whole ? parseBytes(bytes) : null;
}

function parseBytes(bytes: Buffer): OpaqueToken {
  return {
    userId: idOfHex(bytes.subarray(0, ID_BYTES).toString('hex')),
    text: bytes.toString('base64url'),
    hash: new Uint8Array(createHash('sha256').update(bytes).digest()),
  };
}

/** Encrypts the successor with a key that is derived from the predecessor, so that the database alone cannot read it. */
export function sealSuccessor(
  predecessor: OpaqueToken,
  successor: OpaqueToken,
): Uint8Array<ArrayBuffer> {
  const cipher = createCipheriv('aes-256-gcm', sealingKey(predecessor), Buffer.alloc(12));
  const sealed = [cipher.update(successor.text, 'utf8'), cipher.final(), cipher.getAuthTag()];
  return new Uint8Array(Buffer.concat(sealed));
}

/** @throws when the seal was made for another predecessor */
export function openSuccessor(predecessor: OpaqueToken, sealed: Uint8Array): OpaqueToken {
  const decipher = createDecipheriv('aes-256-gcm', sealingKey(predecessor), Buffer.alloc(12));
  decipher.setAuthTag(sealed.subarray(-16));
  const text = Buffer.concat([decipher.update(sealed.subarray(0, -16)), decipher.final()]);
  const successor = parseOpaqueToken(text.toString('utf8'));
  if (successor === null) throw new Error('The seal held no refresh token.');
  return successor;
}

/** Each key encrypts one message, because a token has one successor, so that a constant nonce is safe. */
function sealingKey(predecessor: OpaqueToken): Uint8Array {
  return new Uint8Array(hkdfSync('sha256', predecessor.text, '', 'talebank refresh successor', 32));
}
