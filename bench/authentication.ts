import { parse } from 'graphql';
import type * as Accounts from '../src/services/accounts/accounts.ts';
import type * as Limits from '../src/services/limits.ts';
import type * as Measure from '../src/resolvers/measure.ts';
import type * as Schema from '../src/resolvers/schema.ts';
import type * as ViewerModule from '../src/services/sessions/viewer.ts';
import { compiled, print, type Bench } from './support.ts';

const WARM_UP = 1_000;
const TIMES = 5_000;
const IN_FLIGHT = 16;
const WALLET =
  '{ me { credits { balance } creditHistory(first: 20) { nodes { seq type amount allocations { amount lot { source } } story { title } } } } }';

/** Milliseconds of processor time that this process spends on one piece of work. */
async function cpuOf(work: () => unknown): Promise<number> {
  const run = async (times: number): Promise<void> => {
    const runner = async (): Promise<void> => {
      for (let left = times / IN_FLIGHT; left > 0; left -= 1) await work();
    };
    await Promise.all(Array.from({ length: IN_FLIGHT }, runner));
  };
  await run(WARM_UP);
  const before = process.cpuUsage();
  await run(TIMES);
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1000 / TIMES;
}

/** What a signed-in query pays before it does anything: who asks, how much, and how often. */
export async function benchAuthentication({ app }: Bench): Promise<void> {
  const { register } = await compiled<typeof Accounts>('services/accounts/accounts.js');
  const { identifyViewer } = await compiled<typeof ViewerModule>('services/sessions/viewer.js');
  const { countAgainstLimit } = await compiled<typeof Limits>('services/limits.js');
  const { measureDocument } = await compiled<typeof Measure>('resolvers/measure.js');
  const { buildTypes } = await compiled<typeof Schema>('resolvers/schema.js');
  const device = { userAgent: 'bench', ipAddress: '127.0.0.1', transport: 'BODY' as const };
  const input = { email: 'authentication@example.com', password: 'a good password' };
  const { accessToken, userId } = await register(app, input, device);
  const schema = buildTypes();
  const document = parse(WALLET);

  print('\nWhat a signed-in query pays, in processor time of the server');
  const signature = await cpuOf(() => app.keys.sign({ userId, sessionId: userId }, LIFETIME));
  const who = await cpuOf(() => identifyViewer(app, accessToken));
  const much = await cpuOf(() => measureDocument(schema, document, {}));
  const often = await cpuOf(() =>
    countAgainstLimit(app, { limit: 'creditReads', by: 'account', whose: userId }),
  );
  const line = (name: string, ms: number): void => {
    print(`  ${name.padEnd(42)} ${ms.toFixed(4)} ms  × ${(ms / signature).toFixed(2)}`);
  };
  line('one Ed25519 signature, for comparison', signature);
  line('who asks: token and session', who);
  line('how much: depth, aliases, cost', much);
  line('how often: one counter in Postgres', often);
  line('together, with two counters', who + much + 2 * often);
}

const LIFETIME = { issuedAt: new Date(), expiresAt: new Date(Date.now() + 600_000) };
