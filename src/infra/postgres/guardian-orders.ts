import type { Account } from './account.js';
import { clusterOf } from './cluster.js';
import { socketOf, type Door } from './door.js';

/** What the guardian is told to run. */
export interface GuardianOrders {
  readonly postgres: string;
  /** What holds the cluster and the socket, as Postgres finds it. */
  readonly folder: string;
  readonly door: Door;
  readonly account: Account | null;
  readonly settings: Readonly<Record<string, string>>;
  /** Variables for Postgres itself. It gets none of ours. */
  readonly environment: Readonly<Record<string, string>>;
}

/** The guardian's descriptor of the lock for Postgres: the first after its IPC channel. Postgres inherits the lock. */
export const GUARDIAN_LOCK_DESCRIPTOR = 4;

/** The guardian's descriptor of the open folder. It is /dev/null where Postgres needs none. */
export const GUARDIAN_FOLDER_DESCRIPTOR = 5;

/** What the guardian tells. */
export type GuardianReport =
  | { readonly kind: 'ready'; readonly pid: number }
  | { readonly kind: 'failed'; readonly reason: string };

/** Modest in memory, safe on disk, and only for this machine. */
const SETTINGS: Readonly<Record<string, string>> = {
  unix_socket_permissions: '0700',
  // A client that does not authenticate occupies a connection slot, by default for a minute.
  authentication_timeout: '10s',
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

/**
 * The arguments of the program `postgres`. Where settings differ, those of the door come first, then those of the
 * orders, then SETTINGS.
 */
export function serverArguments({ folder, door, settings }: GuardianOrders): string[] {
  const all = { ...SETTINGS, ...settings, ...doorSettings(door, folder) };
  return [
    '-D',
    clusterOf(folder),
    ...Object.entries(all).flatMap(([name, value]) => ['-c', `${name}=${value}`]),
  ];
}

function doorSettings(door: Door, folder: string): Record<string, string> {
  const port = String(door.port);
  if (door.kind === 'tcp')
    return { port, listen_addresses: '127.0.0.1', unix_socket_directories: '' };
  // A list: in quotation marks, a path may contain commas and spaces.
  const socket = door.temporary ? door.folder : socketOf(folder);
  const folders = `"${socket.replaceAll('"', '""')}"`;
  return { port, listen_addresses: '', unix_socket_directories: folders };
}
