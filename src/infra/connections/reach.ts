import type pg from 'pg';
import { codeOf } from '../../domain/errors.js';
import { propertyOf, textOf } from '../../domain/objects.js';
import { onOneLine } from '../log-text.js';
import { StartError } from '../start-error.js';
import { AddressError, readAddress, withDatabase, withSslMode, type Address } from './address.js';
import { createClient } from './session.js';

const CONNECT_TIMEOUT_MS = 10_000;

/** A connection for the start, and the address that everything else connects with. */
interface Reached {
  readonly client: pg.Client;
  /** If `sslmode` is `prefer` or `allow`, it is replaced by the mode that worked. */
  readonly databaseUrl: string;
}

/**
 * Connects as libpq would, and says in one line why it cannot.
 * @param options.create whether the database is made when the server does not have it yet
 * @throws StartError that names DATABASE_URL
 */
export async function reachDatabase(
  databaseUrl: string,
  options: { readonly create: boolean },
): Promise<Reached> {
  try {
    return await connect(databaseUrl);
  } catch (error) {
    const address = addressOf(databaseUrl);
    if (!options.create || codeOf(error) !== '3D000') throw explained(error, address);
    await createDatabase(databaseUrl, address);
    return connect(databaseUrl).catch((again: unknown) => {
      throw explained(again, address);
    });
  }
}

/** @throws StartError */
function addressOf(databaseUrl: string): Address {
  try {
    return readAddress(databaseUrl);
  } catch (error) {
    if (!(error instanceof AddressError)) throw error;
    throw new StartError(`DATABASE_URL is a value, but ${error.message}.`);
  }
}

/** https://www.postgresql.org/docs/current/libpq-ssl.html: what `prefer` and `allow` try, and in which order. */
async function connect(databaseUrl: string): Promise<Reached> {
  const { sslmode } = addressOf(databaseUrl);
  if (sslmode !== 'prefer' && sslmode !== 'allow')
    return { client: await open(databaseUrl), databaseUrl };
  const encrypted = withSslMode(databaseUrl, 'require');
  const plain = withSslMode(databaseUrl, 'disable');
  const [first, second] = sslmode === 'prefer' ? [encrypted, plain] : [plain, encrypted];
  try {
    return { client: await open(first), databaseUrl: first };
  } catch (error) {
    // The second mode is tried only if the server has refused the first one.
    if (!isWithoutTls(error) && codeOf(error) !== REFUSED_BY_RULE) throw error;
    return { client: await open(second), databaseUrl: second };
  }
}

async function open(databaseUrl: string): Promise<pg.Client> {
  const client = createClient(databaseUrl, {
    purpose: 'start',
    connectTimeoutMs: CONNECT_TIMEOUT_MS,
  });
  // Ignored, because a lost connection also makes the next query reject.
  client.on('error', () => undefined);
  try {
    await client.connect();
    return client;
  } catch (error) {
    await client.end().catch(() => undefined);
    throw error;
  }
}

async function createDatabase(databaseUrl: string, { database }: Address): Promise<void> {
  let client: pg.Client | undefined;
  try {
    ({ client } = await connect(withDatabase(databaseUrl, 'postgres')));
    await client.query(`CREATE DATABASE ${client.escapeIdentifier(database)} ENCODING 'UTF8'`);
  } catch (error) {
    // Another process that starts at the same moment was faster.
    if (['42P04', '23505'].includes(codeOf(error) ?? '')) return;
    throw new StartError(
      `DATABASE_URL: there is no database ${quoted(database)}, and it cannot be created: ${said(error)}. Create it, or name one that exists.`,
    );
  } finally {
    await client?.end();
  }
}

/** Whether this is the error of pg for a server that has no TLS. */
const isWithoutTls = (error: unknown): boolean =>
  error instanceof Error && error.message === 'The server does not support SSL connections';

const REFUSED_BY_RULE = '28000';

/** The message of an error from outside, on one line. */
export const said = (error: unknown): string => {
  const message = textOf(propertyOf(error, 'message')) ?? '';
  return onOneLine(message === '' ? (codeOf(error) ?? 'no answer') : message).replace(/\.$/, '');
};

/** A name in quotation marks on one line. Control characters in it cannot change the output of a terminal. */
export const quoted = (name: string): string => JSON.stringify(onOneLine(name));

/** One line that says what was found, and what to do. */
function explained(error: unknown, address: Address): StartError {
  if (error instanceof StartError) return error;
  const { host, port, sslmode } = address;
  const where = host.startsWith('/') ? `the socket in ${host}` : `${host}:${String(port)}`;
  const found =
    ofNetwork(codeOf(error) ?? '', address, where) ??
    ofServer(error, address, where) ??
    (isWithoutTls(error)
      ? `has sslmode=${sslmode}, but the server at ${where} has no TLS: set sslmode=prefer, or sslmode=disable`
      : null) ??
    ofCertificate(error, sslmode, where) ??
    `the database at ${where} cannot be reached: ${said(error)}`;
  return new StartError(
    found.startsWith('has ') ? `DATABASE_URL ${found}.` : `DATABASE_URL: ${found}.`,
  );
}

function ofNetwork(code: string, { host }: Address, where: string): string | null {
  const advice = {
    ECONNREFUSED: 'nothing listens there. Start Postgres, or correct host and port',
    ENOENT: 'there is no socket. Start Postgres, or correct host and port',
    ENOTFOUND: `the host ${quoted(host)} has no address. Correct its name`,
    EAI_AGAIN: `the name of the host ${quoted(host)} cannot be looked up now. Correct it, or start again`,
    EACCES: 'this user must not open the socket',
  }[code];
  return advice === undefined
    ? null
    : `the database at ${where} cannot be reached: ${advice} (${code})`;
}

function ofServer(error: unknown, { user, database }: Address, where: string): string | null {
  const message = said(error);
  switch (codeOf(error)) {
    case '28P01':
      return `the server at ${where} refuses the password of the user ${quoted(user)}: correct user and password (${message})`;
    case '28000':
      return `the server at ${where} does not let the user ${quoted(user)} in: ${message}. ${ruleAdvice(message)}`;
    case '3D000':
      return `there is no database ${quoted(database)} at ${where}: create it, or name one that exists`;
    case '42501':
      return `the user ${quoted(user)} must have the right CONNECT on the database ${quoted(database)}: ${message}`;
    case '53300':
      return `the server at ${where} gives no more connections: ${message}. Lower DATABASE_POOL_SIZE of the processes, or raise max_connections`;
    case '57P03':
    case '55000':
      return `the server at ${where} takes no connections now: ${message}. Start again when it does`;
    default:
      return null;
  }
}

/** pg_hba.conf says "no encryption" of a connection without TLS. */
const ruleAdvice = (message: string): string =>
  message.includes('no encryption')
    ? 'Set sslmode=require if it demands TLS'
    : 'Correct the user, or pg_hba.conf of the server';

/** https://nodejs.org/api/tls.html#x509-certificate-error-codes */
const OF_CERTIFICATES = /CERT|ISSUER|SIGNATURE|CRL|PATH_LENGTH|INVALID_CA|INVALID_PURPOSE/;

function ofCertificate(error: unknown, sslmode: string, where: string): string | null {
  const code = codeOf(error) ?? '';
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID')
    return `has sslmode=${sslmode}, but the certificate of the server at ${where} is for another name: use that name, or set sslmode=verify-ca (${said(error)})`;
  if (!OF_CERTIFICATES.test(code)) return null;
  return (
    `has sslmode=${sslmode}, but the certificate of the server at ${where} cannot be verified (${code}): ` +
    'set sslrootcert to the file with the certificate of its authority, or sslmode=require to encrypt without verifying'
  );
}
