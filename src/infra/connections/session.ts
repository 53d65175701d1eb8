import type { Socket } from 'node:net';
import pg from 'pg';
import { asError } from '../../domain/errors.js';
import { readAddress } from './address.js';
import { MeasuredPool } from './measured-pool.js';
import { abandonSilent, PROBE_TIMEOUT_MS, type Connection } from './overdue.js';
import { pinning, type TimeLimits } from './pinning.js';

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
