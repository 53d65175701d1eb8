import { gauge, histogram, SHORT_SECONDS } from './make.js';

/** The database, the disk, the keys and the release. */
export const INSTALLATION = {
  databaseConnections: gauge(
    'database_connections',
    'Open connections to the database, in use (also those being opened) or idle.',
    'pool',
    'state',
  ),
  databaseConnectionsMax: gauge(
    'database_connections_max',
    'The most connections that a pool may open.',
    'pool',
  ),
  databaseWaiting: gauge('database_waiting', 'Requests that wait for a connection.', 'pool'),
  databaseWaitSeconds: histogram(
    'database_wait_seconds',
    'Time to get a connection of a pool.',
    SHORT_SECONDS,
    'pool',
  ),
  databaseLongestWait: gauge(
    'database_longest_wait_seconds',
    'The longest wait for a connection within the last half minute to minute, also of those that still wait.',
    'pool',
  ),
  /** 0 while the figures that come from the database keep their last values. */
  databaseAnswers: gauge(
    'database_answers',
    '1 when the figures of this answer that come from the database could be read; 0 when some are old.',
  ),
  databaseSizeBytes: gauge('database_size_bytes', 'The size of the database on its disk.'),
  diskFreeBytes: gauge(
    'disk_free_bytes',
    'Bytes that this process may still write to a volume: data is that of DATA_DIR.',
    'volume',
  ),
  diskSizeBytes: gauge(
    'disk_size_bytes',
    'The size of a volume: data is that of DATA_DIR.',
    'volume',
  ),
  /** In seconds since 1970. Only keys that the database keeps. */
  keyCreatedAt: gauge(
    'key_created_timestamp_seconds',
    'When the key that signs now was made: access tokens, anchors, addresses of files.',
    'key',
  ),
  /** In seconds since 1970. */
  certificateExpiresAt: gauge(
    'certificate_expires_timestamp_seconds',
    'When a certificate file that DATABASE_URL names expires: the authority or the client.',
    'certificate',
  ),
  buildInfo: gauge(
    'build_info',
    'Always 1: the release, the version of Node and the newest migration of the database.',
    'version',
    'node',
    'migration',
  ),
};
