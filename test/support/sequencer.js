import { relative } from 'node:path';
import TestSequencer from '@jest/test-sequencer';

/**
 * The files that take longest, in that order. Jest begins with large files when it does not know yet how long each takes,
 * as after a fresh clone. Some of these are small, so the other workers would wait for them at the end.
 */
const LONGEST = [
  'test/crashes/crashes.test.ts',
  'test/backup/backup.test.ts',
  'test/api/failures.test.ts',
  'test/api/subscriptions.test.ts',
  'test/api/tries.test.ts',
  'test/ledger/interrupted.test.ts',
  'test/api/connections.test.ts',
  'test/domain/long-text.test.ts',
  'test/speech/espeak.test.ts',
  'test/storm/storm.test.ts',
  'test/api/unread-streams.test.ts',
  'test/api/deletion.test.ts',
  'test/api/keys.test.ts',
  'test/ledger/faults.test.ts',
  'test/start/data-dir.test.ts',
  'test/start/one-at-a-time.test.ts',
  'test/api/permission-paths.test.ts',
  'test/ledger/repairs.test.ts',
  'test/ledger/races.test.ts',
  'test/ledger/model.test.ts',
  'test/anchors/verified.test.ts',
  'test/api/reuse.test.ts',
  'test/start/start.test.ts',
  'test/start/embedded.test.ts',
  'test/architecture/regular-expressions.test.ts',
  'test/api/mail.test.ts',
  'test/api/limits.test.ts',
  'test/start/doctor.test.ts',
  'test/start/signals.test.ts',
  'test/start/watchdog.test.ts',
];

const placeOf = ({ path, context }) => {
  const place = LONGEST.indexOf(relative(context.config.rootDir, path).replaceAll('\\', '/'));
  return place === -1 ? LONGEST.length : place;
};

export default class extends TestSequencer {
  async sort(tests) {
    const sorted = await super.sort(tests);
    return sorted.toSorted((one, other) => placeOf(one) - placeOf(other));
  }
}
