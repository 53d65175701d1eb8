/**
 * The tests that care about dates, at dates and in zones at which they could go wrong. Every process of a run, Postgres
 * too, gets a clock that is so many seconds ahead of the machine's (moved-clock.c). The times of files stay real, so the
 * tests that compare them with the clock are not among those below. Needs Linux and a C compiler.
 *
 * node test/dates/run.mjs [--all | <instant> <zone>] [-- <arguments for jest>]
 */
import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Each instant is where a run begins; those just before midnight go on after it. */
const BRIEFLY = [
  ['2027-12-31T23:59:30Z', 'America/St_Johns'],
  ['2028-02-28T11:59:30Z', 'Pacific/Auckland'],
];
const ALL = [
  ...BRIEFLY,
  ['2027-01-30T12:00:00Z', 'UTC'],
  ['2026-11-28T12:00:00Z', 'UTC'],
  ['2026-11-29T12:00:00Z', 'America/St_Johns'],
  ['2026-11-30T23:59:00Z', 'UTC'],
  ['2026-12-01T00:01:00Z', 'UTC'],
  ['2027-02-28T10:59:30Z', 'Pacific/Auckland'],
  ['2028-02-29T00:01:00Z', 'America/St_Johns'],
  ['2028-02-29T23:59:00Z', 'UTC'],
  ['2028-01-01T00:01:00Z', 'Pacific/Auckland'],
  // Where the clocks go back, and forward, in the middle of a run.
  ['2027-04-03T13:59:30Z', 'Pacific/Auckland'],
  ['2027-03-14T05:29:30Z', 'America/St_Johns'],
];
/** Those that are about days, months, expiries and sessions. At one date they take about a minute. */
const FILES = [
  'test/domain/ledger',
  'test/ledger/(administration|interrupted|ledger|months|schedules|zones)',
  'test/api/(charging|metrics|reaper|sessions)',
];
const SOURCE = fileURLToPath(new URL('moved-clock.c', import.meta.url));

/** @returns the path of the library */
function buildLibrary(folder) {
  const library = join(folder, 'moved-clock.so');
  const { error, status } = spawnSync(
    'cc',
    ['-O2', '-Wall', '-Wextra', '-Werror', '-shared', '-fPIC', '-o', library, SOURCE, '-ldl'],
    { stdio: 'inherit' },
  );
  if (error !== undefined || status !== 0)
    throw new Error(`moved-clock.c was not compiled: ${error?.message ?? `exit code ${status}`}`);
  // Postgres loads it under another account.
  chmodSync(folder, 0o755);
  return library;
}

/** @returns what jest counted; null when it did not get that far */
function runAt(instant, zone, jestArguments, { library, resultFile }) {
  const aheadSeconds = Math.round((Date.parse(instant) - Date.now()) / 1000);
  rmSync(resultFile, { force: true });
  spawnSync(
    process.execPath,
    [
      '--experimental-vm-modules',
      '--disable-warning=ExperimentalWarning',
      'node_modules/jest/bin/jest.js',
      '--json',
      `--outputFile=${resultFile}`,
      ...jestArguments,
    ],
    {
      stdio: ['ignore', 'ignore', 'inherit'],
      env: {
        ...process.env,
        TZ: zone,
        LD_PRELOAD: library,
        MOVED_CLOCK_SECONDS: String(aheadSeconds),
      },
    },
  );
  if (!existsSync(resultFile)) return null;
  const { numPassedTests, numFailedTests, numFailedTestSuites, success } = JSON.parse(
    readFileSync(resultFile, 'utf8'),
  );
  // A file that could not be run has no failed test.
  const failed = Math.max(
    numFailedTests,
    success ? 0 : 1,
    numFailedTests === 0 ? numFailedTestSuites : 0,
  );
  return { passed: numPassedTests, failed };
}

const separator = process.argv.indexOf('--', 2);
const [own, passedOn] =
  separator === -1
    ? [process.argv.slice(2), []]
    : [process.argv.slice(2, separator), process.argv.slice(separator + 1)];
const [first, zone = 'UTC'] = own;
const cases = first === undefined ? BRIEFLY : first === '--all' ? ALL : [[first, zone]];
const folder = mkdtempSync(join(tmpdir(), 'talebank-dates-'));
const paths = { library: buildLibrary(folder), resultFile: join(folder, 'result.json') };
const rows = cases.map(([instant, zone]) => {
  process.stderr.write(`\n--- ${instant} in ${zone}\n`);
  const counted = runAt(instant, zone, passedOn.length > 0 ? passedOn : FILES, paths);
  return { instant, zone, ...(counted ?? { passed: 0, failed: 1 }) };
});
rmSync(folder, { recursive: true, force: true });
process.stdout.write('\nbegins                zone               passed  failed\n');
for (const { instant, zone, passed, failed } of rows)
  process.stdout.write(
    `${instant}  ${zone.padEnd(17)}  ${String(passed).padStart(6)}  ${String(failed).padStart(6)}\n`,
  );
const sum = (what) => rows.reduce((total, row) => total + row[what], 0);
// As jest ends, so that this run is counted like one of jest's.
process.stdout.write(
  `Tests:       ${sum('failed')} failed, ${sum('passed')} passed, ${sum('failed') + sum('passed')} total\n`,
);
process.exitCode = sum('failed') === 0 ? 0 : 1;
