import { chmod, readFile, writeFile } from 'node:fs/promises';
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { openApp, type OpenApp } from './app.js';
import type { Config } from './config.js';
import type { FastifyInstance } from 'fastify';
import { createMetricsServer } from './http/metrics.js';
import { createServer } from './http/server.js';
import type { Logger } from './infra/log.js';
import { applyMigrations } from './infra/migrations.js';
import { startEmbeddedPostgres } from './infra/postgres/embedded.js';
import { SpeechError } from './infra/speech/provider.js';
import { StartError } from './infra/start-error.js';
import { requireStorage } from './infra/storage/open.js';
import { startJobs } from './jobs/index.js';
import { MIGRATIONS, openDataDir, root } from './places.js';
import { DEMO_USER, ensureAdministrator, ensureUser, seedLibrary } from './services/seed.js';
import { keepVoices, syncVoices } from './services/stories/voices.js';

export interface Running {
  /** Null for a worker. */
  readonly url: string | null;
  readonly logins: readonly {
    readonly who: string;
    readonly email: string;
    readonly password: string;
  }[];
  /** Stops taking requests and jobs, finishes what runs, and closes everything. */
  stop(): Promise<void>;
}

/** How long a stop waits for jobs in hand before it gives them back. */
const STOP_TIMEOUT_MS = 30_000;

/**
 * Starts everything that this process's role asks for.
 * @param onDatabaseLost is told when the embedded database ends by itself
 * @throws StartError
 */
export async function start(
  config: Config,
  log: Logger,
  onDatabaseLost: () => void,
): Promise<Running> {
  // What was opened, so that a start that fails half-way leaves nothing running.
  const closers: (() => Promise<void>)[] = [];
  const stop = async (): Promise<void> => {
    for (const close of closers.splice(0).reverse()) await close();
  };
  try {
    await openDataDir(config);
    const databaseUrl = await openDatabase(config, log, closers, onDatabaseLost);
    const applied = await applyMigrations(databaseUrl, MIGRATIONS);
    if (applied.length > 0) log.info({ migrations: applied }, 'database migrated');
    let url: string | null = null;
    const app = await openApp({
      config,
      log,
      databaseUrl,
      publicUrl: () => config.publicUrl ?? url ?? `http://${config.host}:${String(config.port)}`,
    });
    closers.push(() => app.close(STOP_TIMEOUT_MS));
    await requireStorage(app.storage, config);
    const logins = await populate(app);
    await learnVoices(app);
    if (config.role !== 'api') await startJobs(app);
    if (config.role !== 'worker') url = await listen(app, closers);
    const metricsUrl = await listenForMetrics(app, closers);
    log.info(
      { url, ...(metricsUrl === null ? {} : { metricsUrl }), role: config.role },
      'listening',
    );
    return { url, logins, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function openDatabase(
  config: Config,
  log: Logger,
  closers: (() => Promise<void>)[],
  onExit: () => void,
): Promise<string> {
  if (config.databaseUrl !== null) return config.databaseUrl;
  const folder = join(config.dataDir, 'postgres');
  const postgres = await startEmbeddedPostgres({ folder, log, onExit });
  closers.push(() => postgres.close());
  return postgres.url;
}

/** The library, the first administrator and, outside production, someone to try it with. */
async function populate(app: OpenApp): Promise<Running['logins']> {
  const { config, log } = app;
  const logins: { who: string; email: string; password: string }[] = [];
  const admin = config.admin ?? (config.production ? null : await demoAdministrator(config));
  if (admin !== null) {
    if (await ensureAdministrator(app, admin)) logins.push({ who: 'administrator', ...admin });
  }
  if (config.seed) {
    const seeded = await seedLibrary(app, root('prisma/library'));
    if (seeded > 0) log.info({ stories: seeded }, 'library filled');
    if (!config.production) {
      await ensureUser(app, { ...DEMO_USER, displayName: 'Demo listener', role: 'USER' });
      logins.push({ who: 'listener', ...DEMO_USER });
    }
  }
  return logins;
}

/** A provider that cannot be asked at the moment does not hold up the start: its voices rarely change. */
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
    app.log.warn({ err: error }, 'voices cannot be listed: those known from before are offered');
    await keepVoices(app);
  }
}

/** Made once and kept beside the data, so that every start can print it. */
async function demoAdministrator({
  dataDir,
}: Config): Promise<{ email: string; password: string }> {
  const path = join(dataDir, 'administrator-password');
  const email = 'admin@talebank.local';
  const known = (await readFile(path, 'utf8').catch(() => '')).trim();
  if (known !== '') return { email, password: known };
  const password = randomBytes(9).toString('base64url');
  await writeFile(path, `${password}\n`, { mode: 0o600 });
  await chmod(path, 0o600);
  return { email, password };
}

async function listen(app: OpenApp, closers: (() => Promise<void>)[]): Promise<string> {
  const { host, port } = app.config;
  const server = await createServer(app, { graphiqlFolder: root('web/graphiql/dist') });
  closers.push(() => server.close());
  return listenOn(server, { host, port, variable: 'PORT' });
}

/** For Prometheus, also of a worker. */
async function listenForMetrics(
  app: OpenApp,
  closers: (() => Promise<void>)[],
): Promise<string | null> {
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
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === 'EADDRINUSE')
      throw new StartError(
        `${variable} is ${String(port)}, but another program listens there: set another ${variable}.`,
      );
    if (code === 'EACCES')
      throw new StartError(
        `${variable} is ${String(port)}, but this user may not listen there: set one above 1023.`,
      );
    throw new StartError(`HOST is ${host}, but it cannot be listened on: ${message}`);
  }
}
