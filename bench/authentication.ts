import { buildSchema, execute, parse } from 'graphql';
import { applyMiddleware, type IMiddlewareFieldMap } from 'graphql-middleware';
import type * as Accounts from '../src/services/accounts/accounts.ts';
import type * as ContextModule from '../src/resolvers/context.ts';
import type * as FieldLimits from '../src/resolvers/limits.ts';
import type * as Limits from '../src/services/limits.ts';
import type * as Measure from '../src/resolvers/documents/measure.ts';
import type * as Schema from '../src/resolvers/schema.ts';
import type * as ViewerModule from '../src/services/sessions/viewer.ts';
import { compiled, print, type Bench } from './support.ts';

const WARM_UP = 1_000;
const TIMES = 5_000;
const IN_FLIGHT = 16;
const WALLET =
  '{ me { credits { balance } creditHistory(first: 20) { nodes { seq type amount allocations { amount lot { source } } story { title } } } } }';

const FIVE_READS =
  '{ me { credits { n } again: credits { n } creditLots { n } creditHistory { n } } creditHistory { n } }';
/** The fields that are limited, with nothing behind them. */
const BARE = buildSchema(`
  type Points { n: Int! }
  type User { credits: Points! creditLots: Points! creditHistory: Points! }
  type Query { me: User! creditLots: Points! creditHistory: Points! }`);
const POINTS = { n: 1 };
const ALL_POINTS = { credits: POINTS, creditLots: POINTS, creditHistory: POINTS };

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
  const { measureDocument } = await compiled<typeof Measure>('resolvers/documents/measure.js');
  const { buildTypes } = await compiled<typeof Schema>('resolvers/schema.js');
  const { limits } = await compiled<typeof FieldLimits>('resolvers/limits.js');
  const { createContext } = await compiled<typeof ContextModule>('resolvers/context.js');
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
  const five = parse(FIVE_READS);
  const rootValue = { me: ALL_POINTS, ...ALL_POINTS };
  const viewer = await identifyViewer(app, accessToken);
  if (viewer instanceof Error) throw viewer;
  const nobody = {
    isKept: () => true,
    read: () => null,
    write: () => undefined,
    clear: () => undefined,
  };
  const facts = { app, viewer, refused: null, requestId: '', device, refreshCookie: nobody };
  const { signal } = new AbortController();
  const ask = (schema: typeof BARE) => async (): Promise<void> => {
    const contextValue = createContext({ ...facts, signal });
    const { errors } = await execute({ schema, document: five, rootValue, contextValue });
    if (errors !== undefined) throw new Error(errors[0]?.message);
  };
  const { Query, User } = limits as Record<'Query' | 'User', IMiddlewareFieldMap>;
  const bare = await cpuOf(ask(BARE));
  const counted = (await cpuOf(ask(applyMiddleware(BARE, { Query, User })))) - bare;
  const line = (name: string, ms: number): void => {
    print(`  ${name.padEnd(42)} ${ms.toFixed(4)} ms  × ${(ms / signature).toFixed(2)}`);
  };
  line('one Ed25519 signature, for comparison', signature);
  line('who asks: token and session', who);
  line('how much: depth, aliases, cost', much);
  line('how often: one counter in Postgres', often);
  line('how often: five reads in one query', counted);
  line('together, for a query with five reads', who + much + counted);
}

const LIFETIME = { issuedAt: new Date(), expiresAt: new Date(Date.now() + 600_000) };
