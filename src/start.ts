import { readFile } from 'node:fs/promises';
import { randomBytes } from 'node:crypto';
import { codeOf, messageOf } from './domain/errors.js';
import { connectionsOf, openApp, type OpenApp } from './open-app.js';
import type { Config } from './config.js';
import type { FastifyInstance } from 'fastify';
import { proxyWarnings } from './http/proxies.js';
import type { Logger } from './infra/log.js';
import { isCommonPassword } from './infra/passwords.js';
import { asStartError, prepareDatabase } from './infra/migrations.js';
import { openEmbeddedDatabase } from './infra/postgres/embedded.js';
import type { Hold } from './infra/postgres/hold.js';
import { writePrivateFile } from './infra/storage/private-files.js';
import { SpeechError } from './infra/speech/provider.js';
import { StartError } from './infra/start-error.js';
import { startTracing } from './infra/tracing/tracing.js';
import { requireAnchorFolder } from './infra/storage/anchor-places.js';
import { requireStorage } from './infra/storage/open.js';
import { startJobs } from './jobs/index.js';
import {
  administratorPasswordOf,
  databaseFolderOf,
  holdDatabase,
  MIGRATIONS,
  openDataDir,
  root,
} from './installation.js';
import { DEMO_USER, ensureAdministrator, ensureUser, seedLibrary } from './services/seed.js';
import { foldAll } from './services/search/fold.js';
import { keepVoices, syncVoices } from './services/stories/voices.js';

export interface Running {
  /** Null for a worker. */
  readonly url: string | null;
  readonly logins: readonly {
    readonly who: string;
    readonly email: string;
    readonly password: string;
  }[];
  /** Stops taking requests and jobs, finishes running ones, and closes everything. */
  stop(): Promise<void>;
}

/** How long a stop waits for running jobs before it returns them to the queue. */
const STOP_TIMEOUT_MS = 30_000;

/**
 * Starts all parts that this process's role needs.
 * @param onDatabaseLost is called when the embedded database ends by itself
 * @throws StartError
 */
export async function start(
  config: Config,
  log: Logger,
  onDatabaseLost: () => void,
): Promise<Running> {
  // Closes what was opened, so that a start that fails half-way leaves nothing running.
  const closers: (() => Promise<void>)[] = [];
  const hold = config.databaseUrl === null ? await holdDatabase(config, log) : null;
  closers.push(() => Promise.resolve(hold?.release()));
  const stop = async (): Promise<void> => {
    hold?.noteStopping();
    for (const close of closers.splice(0).reverse()) await close();
  };
  closers.push(await startTracing(config.tracing, log));
  for (const warning of proxyWarnings(config)) log.warn({ event: 'proxy-setting' }, warning);
  try {
    await openDataDir(config);
    const given =
      config.databaseUrl ?? (await openDatabase(config, log, { hold, closers, onDatabaseLost }));
    const { databaseUrl, applied } = await prepareDatabase(given, MIGRATIONS, {
      connections: connectionsOf(config),
    });
    if (applied.length > 0)
      log.info({ event: 'database-migrated', migrations: applied }, 'database migrated');
    let url: string | null = null;
    const app = await openApp({
      config,
      log,
      databaseUrl,
      publicUrl: () => config.publicUrl ?? url ?? `http://${config.host}:${String(config.port)}`,
    });
    closers.push(() => app.close(STOP_TIMEOUT_MS));
    await requireStorage(app.storage, config);
    await requireAnchorFolder(config);
    const logins = await populate(app);
    await foldAll(app);
    await learnVoices(app);
    if (config.role !== 'api') await startJobs(app);
    if (config.role !== 'worker') url = await listen(app, closers);
    const metricsUrl = await listenForMetrics(app, closers);
    log.info(
      {
        event: 'listening',
        url,
        ...(metricsUrl === null ? {} : { metricsUrl }),
        role: config.role,
      },
      'listening',
    );
    return { url, logins, stop };
  } catch (error) {
    await stop();
    throw asStartError(error);
  }
}

async function openDatabase(
  config: Config,
  log: Logger,
  {
    hold,
    closers,
    onDatabaseLost,
  }: { hold: Hold | null; closers: (() => Promise<void>)[]; onDatabaseLost: () => void },
): Promise<string> {
  if (hold === null) throw new Error('The embedded database needs the hold of its folder.');
  const folder = databaseFolderOf(config.dataDir);
  const postgres = await openEmbeddedDatabase({ folder, log, hold, onExit: onDatabaseLost });
  closers.push(() => postgres.close());
  return postgres.url;
}

/** Creates the library, the first administrator and, outside production, a demo user. */
async function populate(app: OpenApp): Promise<Running['logins']> {
  const { config, log } = app;
  const logins: { who: string; email: string; password: string }[] = [];
  const admin = config.admin ?? (config.production ? null : await demoAdministrator(config));
  if (admin !== null) {
    if (config.production && isCommonPassword(admin.password))
      log.warn(
        { event: 'common-admin-password' },
        'ADMIN_PASSWORD is one of the most common passwords: set another one',
      );
    if (await ensureAdministrator(app, admin)) logins.push({ who: 'administrator', ...admin });
  }
  if (config.seed) {
    const seeded = await seedLibrary(app, root('prisma/library'));
    if (seeded > 0) log.info({ event: 'library-filled', stories: seeded }, 'library filled');
    if (!config.production) {
      await ensureUser(app, { ...DEMO_USER, displayName: 'Demo listener', role: 'USER' });
      logins.push({ who: 'listener', ...DEMO_USER });
    }
  }
  return logins;
}

/**
 * Updates the list of voices. The start does not fail when the provider is unreachable, because its voices rarely
 * change.
 */
async function learnVoices(app: OpenApp): Promise<void> {
  try {
    await syncVoices(app);
  } catch (error) {
    if (!(error instanceof SpeechError)) throw error;
    if (error.status === 401 || error.status === 403) {
      throw new StartError(
        `ELEVENLABS_API_KEY is a value, but the provider refuses it with ${String(error.status)}: it must be a key that may list voices and speak.`,
      );
    }
    app.log.warn(
      { event: 'voices-not-listed', err: error },
      'voices cannot be listed: those known from before are offered',
    );
    await keepVoices(app);
  }
}

/**
 * The administrator of development. The password is made once and stored in DATA_DIR, so that every start can print it.
 */
async function demoAdministrator({
  dataDir,
}: Config): Promise<{ email: string; password: string }> {
  const path = administratorPasswordOf(dataDir);
  const email = 'admin@talebank.local';
  const known = (await readFile(path, 'utf8').catch(() => '')).trim();
  if (known !== '') return { email, password: known };
  const password = randomBytes(9).toString('base64url');
  await writePrivateFile(path, `${password}\n`);
  return { email, password };
}

/** Imports the HTTP server on demand, because it is half of the code and a worker does not need it. */
async function listen(app: OpenApp, closers: (() => Promise<void>)[]): Promise<string> {
  const { host, port } = app.config;
  const { createServer } = await import('./http/server.js');
  const server = await createServer(app, {
    webFolder: root('web/dist'),
    graphiqlFolder: root('web/graphiql/dist'),
  });
  closers.push(() => server.close());
  return listenOn(server, { host, port, variable: 'PORT' });
}

/** Serves metrics for Prometheus, also in a worker. */
async function listenForMetrics(
  app: OpenApp,
  closers: (() => Promise<void>)[],
): Promise<string | null> {
  if (app.config.metrics.port === null) return null;
  const { createMetricsServer } = await import('./http/metrics.js');
  const server = createMetricsServer(app);
  if (server === null) return null;
  closers.push(() => server.close());
  const { host, metrics } = app.config;
  return listenOn(server, { host, port: metrics.port ?? 0, variable: 'METRICS_PORT' });
}

/** @throws StartError that names the variable */
async function listenOn(
  server: FastifyInstance,
  { host, port, variable }: { host: string; port: number; variable: string },
): Promise<string> {
  try {
    return await server.listen({ host, port });
  } catch (error) {
    const code = codeOf(error);
    if (code === 'EADDRINUSE')
      throw new StartError(
        `${variable} is ${String(port)}, but another program listens there: set another ${variable}.`,
      );
    if (code === 'EACCES')
      throw new StartError(
        `${variable} is ${String(port)}, but this user may not listen there: set one above 1023.`,
      );
    throw new StartError(`HOST is ${host}, but it cannot be listened on: ${messageOf(error)}`);
  }
}
