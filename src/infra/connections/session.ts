import type { Socket } from 'node:net';
import pg from 'pg';
import { asError } from '../../domain/errors.js';
import { readAddress } from './address.js';
import { MeasuredPool } from './measured-pool.js';
import { abandonSilent, PROBE_TIMEOUT_MS, type Connection } from './overdue.js';

/**
 * How long a session may take. Every session sets all of them, because otherwise those of the role, the database or
 * the server would count, and refuse what has to wait. 0 is no limit.
 */
export interface TimeLimits {
  readonly statementMs?: number;
  /** How long a statement waits for a lock of another transaction; the error is 55P03, which is BUSY. */
  readonly lockMs?: number;
  /** A session that idles in a transaction for this long is ended, so that a hung process or lost host keeps no locks. */
  readonly idleInTransactionMs?: number;
}

/**
 * What every session has, whatever the role, the database, the server or PGOPTIONS say. Prisma's adapter takes each
 * instant for one in UTC, and drops the offset that Postgres writes, which is that of the session's zone; days are
 * 24 hours long in no other zone. The others decide how values are written and read, and which table a name means.
 * Only settings that Postgres 15 has are listed.
 */
const SETTINGS: Readonly<Record<string, string>> = {
  TimeZone: 'UTC',
  DateStyle: 'ISO, MDY',
  IntervalStyle: 'postgres',
  search_path: 'public',
  client_encoding: 'UTF8',
  standard_conforming_strings: 'on',
  backslash_quote: 'safe_encoding',
  bytea_output: 'hex',
  extra_float_digits: '1',
  array_nulls: 'on',
  transform_null_equals: 'off',
  quote_all_identifiers: 'off',
  default_transaction_isolation: 'read committed',
  default_transaction_deferrable: 'off',
  client_min_messages: 'warning',
  idle_session_timeout: '0',
  // The server notices within two minutes that the host of an idle session is gone. Sockets of Unix ignore both.
  tcp_keepalives_idle: '30',
  tcp_keepalives_interval: '10',
};

/**
 * The statements that pin a session. The time limit of statements comes first, so that one of the role cannot end the
 * others, and then `transaction_timeout`, which Postgres has since version 17.
 */
export function pinning({
  statementMs = 0,
  lockMs = 0,
  idleInTransactionMs = 0,
}: TimeLimits): string {
  const settings = {
    lock_timeout: String(lockMs),
    idle_in_transaction_session_timeout: String(idleInTransactionMs),
    ...SETTINGS,
  };
  return [
    `SET statement_timeout = ${String(statementMs)}`,
    `SELECT CASE WHEN current_setting('server_version_num')::int >= 170000
       THEN pg_catalog.set_config('transaction_timeout', '0', false) END`,
    ...Object.entries(settings).map(([name, value]) => `SET ${name} = '${value}'`),
    'SELECT pg_backend_pid() AS pid',
  ].join('; ');
}

interface SessionOptions {
  /** Added to `talebank` in pg_stat_activity; '' for none. */
  readonly purpose: string;
  readonly limits?: TimeLimits;
  readonly connectTimeoutMs: number;
  /** The client's own time-out for an answer, in case the server does not end the statement. */
  readonly answerTimeoutMs?: number;
}

/**
 * A connection whose settings are pinned before it is used. They are pinned by statements rather than by parameters of
 * the start, because a pooler such as PgBouncer refuses those that it does not know, and knows few.
 */
class PinnedClient extends pg.Client implements Connection {
  // Fields of pg that its types lack.
  declare readonly connection: pg.Connection & { readonly stream: Socket };
  declare readonly readyForQuery: boolean;
  declare readonly connectionParameters: { replication: string | undefined };
  readonly #pinning: pg.QueryConfig;
  #backendId = 0;

  constructor(config: pg.ClientConfig & { readonly pinning?: string } = {}) {
    super(config);
    // PGREPLICATION must not count. It cannot be overridden, because PgBouncer refuses a connection that gives any value.
    this.connectionParameters.replication = undefined;
    // A connection that is lost between two queries emits an error. A pool listens only while the client is idle, and
    // without a listener the error would end the process. The next query rejects, so the loss is not hidden.
    this.on('error', () => undefined);
    // The connect time-out also bounds this query, because a server may accept a connection and then answer nothing.
    const timeout: object = { query_timeout: config.connectionTimeoutMillis };
    this.#pinning = { text: config.pinning ?? pinning({}), ...timeout };
  }

  override connect(): Promise<pg.Client>;
  override connect(callback: Connected): void;
  override connect(callback?: Connected): Promise<pg.Client> | undefined {
    const pinned = this.#connectPinned();
    if (callback === undefined) return pinned;
    pinned.then(
      (client) => {
        callback(null, client);
      },
      (error: unknown) => {
        callback(asError(error));
      },
    );
    return undefined;
  }

  async #connectPinned(): Promise<pg.Client> {
    await super.connect();
    try {
      // Not the number that the protocol gives, because that of a pooler is its own.
      const results = [await this.query<{ pid?: number }>(this.#pinning)].flat();
      this.#backendId = results.at(-1)?.rows[0]?.pid ?? 0;
      return this;
    } catch (error) {
      void this.end().catch(() => undefined);
      throw error;
    }
  }

  override end(): Promise<void>;
  override end(callback: (error: Error) => void): void;
  override end(callback?: (error: Error) => void): Promise<void> | undefined {
    // The other side must close the connection too, which it never does when the network forwards nothing.
    const late = setTimeout(() => this.connection.stream.destroy(), END_TIMEOUT_MS).unref();
    this.once('end', () => {
      clearTimeout(late);
    });
    if (callback === undefined) return super.end();
    super.end(callback);
    return undefined;
  }

  get backendId(): number {
    return this.#backendId;
  }

  isWaiting(): boolean {
    return !this.readyForQuery;
  }

  bytesMoved(): number {
    const { bytesRead, bytesWritten, writableLength } = this.connection.stream;
    return bytesRead + bytesWritten - writableLength;
  }

  abandon(error: Error): void {
    this.connection.stream.destroy(error);
  }
}

/** How long the end of a connection may take. */
const END_TIMEOUT_MS = 2_000;

/** As the pool calls `connect`, without a promise. */
type Connected = ((error: Error) => void) & ((error: null, client: pg.Client) => void);

/** How long a connection is silent before the kernel asks whether the other side is still there. */
const KEEP_ALIVE_MS = 10_000;

/** The configuration of every connection. Only this function makes one from DATABASE_URL. */
function configOf(
  databaseUrl: string,
  { purpose, limits = {}, connectTimeoutMs, answerTimeoutMs }: SessionOptions,
): pg.ClientConfig {
  const address = readAddress(databaseUrl);
  const { host, port, user, password, database, ssl, sslnegotiation, options } = address;
  const names = [address.applicationName ?? 'talebank', purpose].filter((name) => name !== '');
  // Options that pg's types lack, and `pinning`, which is ours. Without a value, PGCLIENTENCODING would count.
  const more: object = {
    sslnegotiation,
    client_encoding: 'UTF8',
    pinning: pinning(limits),
  };
  return {
    host,
    port,
    user,
    ...(password === undefined ? {} : { password }),
    database,
    ssl,
    ...(options === undefined ? {} : { options }),
    application_name: names.join('-'),
    keepAlive: true,
    keepAliveInitialDelayMillis: KEEP_ALIVE_MS,
    connectionTimeoutMillis: address.connectTimeoutMs ?? connectTimeoutMs,
    ...(answerTimeoutMs === undefined ? {} : { query_timeout: answerTimeoutMs }),
    ...more,
  };
}

/** @throws AddressError */
export const createClient = (databaseUrl: string, options: SessionOptions): pg.Client =>
  new PinnedClient(configOf(databaseUrl, options));

/** @throws AddressError */
const poolConfig = (
  databaseUrl: string,
  options: SessionOptions & { readonly connectionsMax: number },
): pg.PoolConfig => ({
  ...configOf(databaseUrl, options),
  max: options.connectionsMax,
  Client: PinnedClient,
});

/**
 * A pool that survives a restart of the database, and a network that forwards nothing.
 * @param onError is told of connections that were lost while they were idle, or whose answer was lost
 * @throws AddressError
 */
export function createPool(
  databaseUrl: string,
  options: SessionOptions & {
    readonly connectionsMax: number;
    /** False for work that must not be cut off by a wrong guess, such as migrations. */
    readonly isWatched?: boolean;
  },
  onError: (error: Error) => void,
): MeasuredPool {
  const pool = new MeasuredPool(poolConfig(databaseUrl, options));
  // Without a listener, a database that restarts would end the process.
  pool.on('error', onError);
  if (options.isWatched === false) return pool;
  const connections = new Set<PinnedClient>();
  pool.on('connect', (client) => {
    if (client instanceof PinnedClient) connections.add(client);
  });
  pool.on('remove', (client) => {
    if (client instanceof PinnedClient) connections.delete(client);
  });
  abandonSilent({
    connections,
    createProbe: () =>
      createClient(databaseUrl, {
        purpose: 'health',
        connectTimeoutMs: PROBE_TIMEOUT_MS,
        answerTimeoutMs: PROBE_TIMEOUT_MS,
      }),
    onAbandoned: onError,
    isOver: () => pool.ended,
  });
  return pool;
}
