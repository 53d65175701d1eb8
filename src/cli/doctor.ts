/**
 * `npm run doctor`: checks what an operator would look at first, and says what to do. It changes and starts nothing, but
 * writes and deletes one file in the storage of recordings.
 *   npm run doctor [-- --json] [--timeout SECONDS] [--disk-min MEGABYTES]
 * It ends with 0 when all is well, with 1 when there are warnings only, and with 2 when anything fails.
 */
import '../environment.js';
import { parseArgs } from 'node:util';
import { ConfigError, readConfig, type Config } from '../config.js';
import { createLogger } from '../infra/log.js';
import {
  anchorCheck,
  bulkOrdersCheck,
  ledgerCheck,
  queuesCheck,
  tasksCheck,
} from './doctor/work.js';
import {
  addressOf,
  clockCheck,
  databaseCheck,
  migrationsCheck,
  reach,
  rightsCheck,
} from './doctor/database.js';
import {
  asJson,
  asLines,
  exitCodeOf,
  fail,
  messageOf,
  runChecks,
  type Check,
  type NamedFinding,
} from './doctor/findings.js';
import { configurationCheck, diskCheck, serverCheck, versionsCheck } from './doctor/machine.js';
import { createRedactor } from './doctor/secrets.js';
import { mailCheck, speechCheck, storageCheck } from './doctor/surroundings.js';

const USAGE = 'Usage: npm run doctor [-- --json] [--timeout SECONDS] [--disk-min MEGABYTES]';
/** Exit code of a failure, which a wrong option is too. */
const FAILED = 2;

interface Options {
  readonly json: boolean;
  readonly limitMs: number;
  readonly diskMinMb: number;
}

const isWholeNumber = (text: string): boolean => /^[1-9]\d{0,8}$/.test(text);

/** @returns null for options that are wrong */
function readOptions(): Options | null {
  try {
    const { values } = parseArgs({
      options: {
        json: { type: 'boolean', default: false },
        timeout: { type: 'string', default: '5' },
        'disk-min': { type: 'string', default: '1024' },
      },
    });
    const { json, timeout, 'disk-min': diskMin } = values;
    if (!isWholeNumber(timeout) || !isWholeNumber(diskMin)) return null;
    return { json, limitMs: Number(timeout) * 1000, diskMinMb: Number(diskMin) };
  } catch {
    return null;
  }
}

/** What is known without a configuration. */
async function examineAlone(error: ConfigError, limitMs: number): Promise<readonly NamedFinding[]> {
  const wrong = fail(error.message, 'Correct the variable. Nothing else was checked without it.');
  return [{ name: 'configuration', ...wrong }, ...(await runChecks([versionsCheck], limitMs))];
}

async function examine(
  config: Config,
  { limitMs, diskMinMb }: Options,
  secrets: string[],
): Promise<readonly NamedFinding[]> {
  const log = createLogger({ level: 'silent', format: 'json', toStderr: true });
  // The parts of a check end before the check itself, so that they can say what hung.
  const partMs = 0.8 * limitMs;
  const reached = addressOf(config).then((address) => {
    secrets.push(address);
    return reach(address, log, partMs);
  });
  // Every check that needs it says so by itself.
  reached.catch(() => undefined);
  const checks: readonly Check[] = [
    configurationCheck(process.env),
    versionsCheck,
    diskCheck(config, diskMinMb),
    serverCheck(config, partMs),
    databaseCheck(reached),
    migrationsCheck(reached),
    rightsCheck(reached),
    clockCheck(reached),
    queuesCheck(reached),
    tasksCheck(reached),
    ledgerCheck(reached),
    anchorCheck(reached, config),
    bulkOrdersCheck(reached),
    storageCheck(config),
    speechCheck(config, log),
    mailCheck(config, partMs),
  ];
  return runChecks(checks, limitMs);
}

async function main(): Promise<number> {
  const options = readOptions();
  if (options === null) {
    process.stderr.write(`${USAGE}\n`);
    return FAILED;
  }
  const secrets: string[] = [];
  const findings = await findingsOf(options, secrets);
  const redact = createRedactor(process.env, secrets);
  const safe = findings.map(({ advice, ...finding }) => ({
    ...finding,
    text: redact(finding.text),
    ...(advice === undefined ? {} : { advice: redact(advice) }),
  }));
  process.stdout.write(options.json ? asJson(safe) : asLines(safe));
  // Waits until the output is flushed, because a write to a pipe may be asynchronous.
  await new Promise((resolve) => process.stdout.write('', resolve));
  return exitCodeOf(findings);
}

async function findingsOf(options: Options, secrets: string[]): Promise<readonly NamedFinding[]> {
  try {
    return await examine(readConfig(process.env), options, secrets);
  } catch (error) {
    if (error instanceof ConfigError) return examineAlone(error, options.limitMs);
    const broken = fail(messageOf(error), 'This is a fault of the doctor itself: report it.');
    return [{ name: 'doctor', ...broken }];
  }
}

// Ends at once, because a check that hangs keeps its connections open.
process.exit(await main());
