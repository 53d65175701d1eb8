import type { Account } from './binaries.js';

/** What the guardian is told to run. */
export interface GuardianOrders {
  readonly postgres: string;
  /** The cluster's folder. */
  readonly folder: string;
  readonly port: number;
  readonly account: Account | null;
  readonly settings: Readonly<Record<string, string>>;
}

/** What the guardian tells. */
export type GuardianReport =
  | { readonly kind: 'ready'; readonly pid: number }
  | { readonly kind: 'failed'; readonly reason: string };

/** Modest in memory, safe on disk, and only for this machine. */
const SETTINGS: Readonly<Record<string, string>> = {
  listen_addresses: '127.0.0.1',
  unix_socket_directories: '',
  max_connections: '60',
  shared_buffers: '64MB',
  wal_compression: 'on',
  // Processes that a single machine's database does not need.
  io_method: 'sync',
  max_logical_replication_workers: '0',
  jit: 'off',
  timezone: 'UTC',
  log_timezone: 'UTC',
  password_encryption: 'scram-sha-256',
};

export function serverArguments({ folder, port, settings }: GuardianOrders): string[] {
  const all = { ...SETTINGS, ...settings, port: String(port) };
  return [
    '-D',
    folder,
    ...Object.entries(all).flatMap(([name, value]) => ['-c', `${name}=${value}`]),
  ];
}
