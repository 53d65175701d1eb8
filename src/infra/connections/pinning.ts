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
