import { readFileSync } from 'node:fs';
import { userInfo } from 'node:os';
import type { ConnectionOptions } from 'node:tls';
import { codeOf } from '../../domain/errors.js';

/**
 * How a connection is encrypted, as libpq defines it
 * (https://www.postgresql.org/docs/current/libpq-ssl.html): only `verify-ca` and `verify-full` prove whose the server
 * is; `prefer` and `allow` are settled once at the start (see reach.ts), because a pool has one kind of connection.
 */
const SSL_MODES = ['disable', 'allow', 'prefer', 'require', 'verify-ca', 'verify-full'] as const;
export type SslMode = (typeof SSL_MODES)[number];

/** Where the database is and who connects, in fields that `pg` takes as they are. */
export interface Address {
  /** A name, an address, or the folder of a Unix socket. */
  readonly host: string;
  readonly port: number;
  readonly user: string;
  /** Undefined: the server must not ask for one. */
  readonly password: string | undefined;
  readonly database: string;
  readonly sslmode: SslMode;
  readonly ssl: false | ConnectionOptions;
  readonly sslnegotiation: 'postgres' | 'direct';
  /** Arguments for the server's process, such as `-c work_mem=8MB`. */
  readonly options: string | undefined;
  /** In place of `talebank` in the names of sessions. */
  readonly applicationName: string | undefined;
  readonly connectTimeoutMs: number | undefined;
}

/** What is wrong with an address; the message continues "DATABASE_URL is a value, but must …". */
export class AddressError extends Error {}

/** The parameters that are taken, and what their values may be. Everything else is refused, never ignored. */
const PARAMETERS: Readonly<Record<string, RegExp>> = {
  host: /^.+$/,
  port: /^\d{1,5}$/,
  user: /^.+$/,
  password: /^.*$/s,
  dbname: /^.+$/,
  sslmode: /^(?:disable|allow|prefer|require|verify-ca|verify-full|no-verify)$/,
  ssl: /^(?:true|1|false|0|no-verify)$/,
  sslcert: /^.+$/,
  sslkey: /^.+$/,
  sslrootcert: /^.+$/,
  sslnegotiation: /^(?:postgres|direct)$/,
  application_name: /^[\w.: -]{1,40}$/,
  connect_timeout: /^\d{1,4}$/,
  options: /^[^\0]*$/,
  // Parameters of Prisma, libpq and pg. They are accepted only with values that change nothing.
  schema: /^public$/,
  client_encoding: /^(?:utf-?8|auto)$/i,
  replication: /^(?:false|off|no|0)$/,
  target_session_attrs: /^(?:any|read-write|primary)$/,
  gssencmode: /^(?:disable|prefer)$/,
  channel_binding: /^(?:disable|prefer)$/,
  uselibpqcompat: /^true$/,
};

/** Advice for parameters of other programs, and for values that are not allowed. */
const ADVICE: Readonly<Record<string, string>> = {
  schema: 'the tables are in the schema public, so another installation needs another database',
  sslmode: `it may be ${SSL_MODES.join(', ')}`,
  channel_binding: 'it may be disable or prefer; sslmode=verify-full proves whose the server is',
  connection_limit: 'DATABASE_POOL_SIZE says how many connections there are',
  pool_timeout: 'a request waits five seconds for a connection',
  pgbouncer: 'a pooler must be in session mode, and then needs no parameter',
  sslaccept: 'sslmode=require does not check the certificate, and sslmode=verify-full does',
  search_path: 'every session has the search_path public',
  timezone: 'every session has the time zone UTC',
  statement_timeout: 'every session has its own time-outs',
  lock_timeout: 'every session has its own time-outs',
  idle_in_transaction_session_timeout: 'every session has its own time-outs',
};

/**
 * Reads DATABASE_URL by the rules of libpq, instead of leaving it to several libraries that differ.
 * @throws AddressError
 */
export function readAddress(databaseUrl: string): Address {
  const url = parse(databaseUrl);
  const given = readParameters(url.searchParams);
  const host = given.get('host') ?? unbracketed(decode(url.hostname, 'host'));
  const port = Number(given.get('port') ?? (url.port === '' ? '5432' : url.port));
  if (port < 1 || port > 65_535)
    throw new AddressError(`must have a port of 1 to 65535, not ${String(port)}`);
  const user = given.get('user') ?? decode(url.username, 'user');
  const password = given.get('password') ?? decode(url.password, 'password');
  const database = given.get('dbname') ?? decode(url.pathname.slice(1), 'database');
  const known = user === '' ? userInfo().username : user;
  const sslmode = sslModeOf(given);
  return {
    host: host === '' ? 'localhost' : host,
    port,
    user: known,
    password: password === '' ? undefined : password,
    database: database === '' ? known : database,
    sslmode,
    ssl: tlsOf(sslmode, given),
    sslnegotiation: negotiationOf(sslmode, given),
    options: given.get('options'),
    applicationName: given.get('application_name'),
    connectTimeoutMs: timeoutOf(given),
  };
}

const PROTOCOLS = 'an address that begins with postgres:// or postgresql://';

function parse(databaseUrl: string): URL {
  if (!/^postgres(?:ql)?:\/\//i.test(databaseUrl)) throw new AddressError(`must be ${PROTOCOLS}`);
  if (URL.canParse(databaseUrl)) return new URL(databaseUrl);
  throw new AddressError(
    `must be ${PROTOCOLS} and has one host and a port of 1 to 65535, for example postgresql://user:password@host:5432/talebank`,
  );
}

/** If a parameter is given twice, the later one counts, as in libpq. */
function readParameters(parameters: URLSearchParams): Map<string, string> {
  const given = new Map<string, string>();
  for (const [name, value] of parameters) {
    const allowed = PARAMETERS[name];
    const advice = ADVICE[name.toLowerCase()];
    const because = advice === undefined ? '' : `, because ${advice}`;
    if (allowed === undefined)
      throw new AddressError(
        `must not have the parameter ${JSON.stringify(name)}${because}; those that are known are ` +
          Object.keys(PARAMETERS).join(', '),
      );
    if (!allowed.test(value))
      throw new AddressError(
        `must not have the parameter ${JSON.stringify(`${name}=${name === 'password' ? '…' : value}`)}${because}`,
      );
    given.set(name, value);
  }
  return given;
}

function decode(text: string, what: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw new AddressError(`must have a ${what} in which a percent sign is written as %25`);
  }
}

const unbracketed = (host: string): string => host.replace(/^\[(.+)\]$/, '$1');

function sslModeOf(given: ReadonlyMap<string, string>): SslMode {
  const mode = given.get('sslmode');
  if (mode !== undefined) return mode === 'no-verify' ? 'require' : (mode as SslMode);
  // `ssl` is a parameter of `pg`. Some hosting services put it into their addresses.
  const ssl = given.get('ssl');
  if (ssl === 'true' || ssl === '1') return 'verify-full';
  return ssl === 'no-verify' ? 'require' : 'disable';
}

function tlsOf(sslmode: SslMode, given: ReadonlyMap<string, string>): false | ConnectionOptions {
  const root = given.get('sslrootcert');
  const ca = root === undefined || root === 'system' ? undefined : contents('sslrootcert', root);
  const identity = {
    ...(ca === undefined ? {} : { ca }),
    ...certificateOf(given),
  };
  if (sslmode === 'disable' || sslmode === 'allow') return false;
  if (sslmode === 'verify-full') return identity;
  // https://www.postgresql.org/docs/current/libpq-ssl.html: with a root certificate, require means verify-ca.
  if (sslmode === 'verify-ca' || (sslmode === 'require' && ca !== undefined))
    return { ...identity, checkServerIdentity: () => undefined };
  return { ...identity, rejectUnauthorized: false };
}

/** What the client proves itself with. */
function certificateOf(
  given: ReadonlyMap<string, string>,
): Pick<ConnectionOptions, 'cert' | 'key'> {
  const [cert, key] = [given.get('sslcert'), given.get('sslkey')];
  if ((cert === undefined) !== (key === undefined))
    throw new AddressError('must have both of the parameters sslcert and sslkey, or neither');
  if (cert === undefined || key === undefined) return {};
  return { cert: contents('sslcert', cert), key: contents('sslkey', key) };
}

function contents(parameter: string, path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw new AddressError(
      `must name a file that can be read in the parameter ${JSON.stringify(`${parameter}=${path}`)}: ${String(codeOf(error))}`,
    );
  }
}

function negotiationOf(
  sslmode: SslMode,
  given: ReadonlyMap<string, string>,
): Address['sslnegotiation'] {
  if (given.get('sslnegotiation') !== 'direct') return 'postgres';
  if (['disable', 'allow', 'prefer'].includes(sslmode))
    throw new AddressError(
      'must have sslmode=require, verify-ca or verify-full where it has sslnegotiation=direct',
    );
  return 'direct';
}

function timeoutOf(given: ReadonlyMap<string, string>): number | undefined {
  const seconds = given.get('connect_timeout');
  return seconds === undefined || Number(seconds) === 0 ? undefined : Number(seconds) * 1000;
}

/** The same address with another `sslmode`. The root certificate is removed, because `require` would verify with it. */
export function withSslMode(databaseUrl: string, sslmode: 'disable' | 'require'): string {
  const url = new URL(databaseUrl);
  url.searchParams.delete('sslrootcert');
  url.searchParams.set('sslmode', sslmode);
  return url.href;
}

/** The same server, and another database. */
export function withDatabase(databaseUrl: string, database: string): string {
  const url = new URL(databaseUrl);
  url.searchParams.delete('dbname');
  url.pathname = `/${encodeURIComponent(database)}`;
  return url.href;
}

/** The same address on another server. */
export function withHost(
  databaseUrl: string,
  { host, port }: { host: string; port: number },
): string {
  const url = new URL(databaseUrl);
  for (const name of ['host', 'hostaddr', 'port']) url.searchParams.delete(name);
  url.hostname = host;
  url.port = String(port);
  return url.href;
}
