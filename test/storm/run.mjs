/**
 * `npm run storm -- --minutes 10 [--seed N]`: two API processes and two workers under load, killed at random, and
 * everything that must hold at the end.
 */
import { spawn } from 'node:child_process';
import { parseArgs } from 'node:util';

const { values } = parseArgs({
  options: { minutes: { type: 'string', default: '10' }, seed: { type: 'string' } },
});
const child = spawn(
  process.execPath,
  [
    '--experimental-vm-modules',
    '--disable-warning=ExperimentalWarning',
    'node_modules/jest/bin/jest.js',
    'test/storm',
  ],
  {
    stdio: 'inherit',
    env: {
      ...process.env,
      STORM_MINUTES: values.minutes,
      ...(values.seed === undefined ? {} : { STORM_SEED: values.seed }),
    },
  },
);
child.once('exit', (code) => process.exit(code ?? 1));
