import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { machineClock, V8_FLAGS } from './machine.js';

const LEDGER = fileURLToPath(new URL('../../dist/cli/ledger.js', import.meta.url));
const VERIFIER = fileURLToPath(new URL('../../scripts/verify-export.mjs', import.meta.url));

export interface Ended {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

const run = (
  args: readonly string[],
  environment: Readonly<Record<string, string>>,
): Promise<Ended> =>
  new Promise((resolve) => {
    const env = {
      ...machineClock(),
      NODE_COMPILE_CACHE: process.env['NODE_COMPILE_CACHE'] ?? '',
      ...environment,
    };
    const options = { env, maxBuffer: 64 * 1024 * 1024 };
    execFile(process.execPath, [...V8_FLAGS, ...args], options, (error, stdout, stderr) => {
      resolve({ code: Number(error?.code ?? 0), stdout, stderr });
    });
  });

/** `npm run ledger` on a database. */
export const ledgerOn =
  (url: string) =>
  (...args: string[]): Promise<Ended> =>
    run([LEDGER, ...args], { DATABASE_URL: url });

/** The verifier that shares no code with the server. */
export const verifyExport = (...args: string[]): Promise<Ended> => run([VERIFIER, ...args], {});
