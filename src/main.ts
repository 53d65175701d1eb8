/** The entry point, and the only module that uses the environment, the signals and the terminal of the process. */
import './environment.js';
import './infra/watchdog/heap.js';
import nodeModule from 'node:module';
import { fileURLToPath } from 'node:url';
import { banner } from './banner.js';
import { ConfigError, readConfig } from './config.js';
import { createLogger, type Logger } from './infra/log.js';
import { idsOfWork } from './infra/logging/current.js';
import { traceIds } from './infra/tracing/tracing.js';
import { startWatchdog } from './infra/watchdog/watchdog.js';
import { StartError } from './infra/start-error.js';
import { makePrivateFolder, requirePrivate } from './infra/storage/private-files.js';
import { watchNpm } from './launcher.js';
import { COMPILED } from './installation.js';
import type * as Server from './start.js';

const STOP_TIMEOUT_MS = 45_000;
/**
 * A second SIGINT within this time is the same Ctrl-C, because the terminal sends it to npm too, and npm forwards it.
 */
const SAME_SIGNAL_MS = 1_000;

async function main(): Promise<void> {
  const config = readConfig(process.env);
  const log = createLogger({
    level: config.logLevel,
    format: config.logFormat,
    about: () => ({ ...idsOfWork(), ...traceIds() }),
    // Also after process.exit, and after an exception that nothing has caught.
    atExit: (flush) => process.on('exit', flush),
  });
  const stopping = createStop(log);
  stopOnSignals(stopping.stop, log);
  // Loaded after the configuration is read, because it takes a second, and a wrong configuration is reported without
  // it.
  const { start } = await loadServer();
  const running = await start(config, log, () => {
    log.fatal({ event: 'embedded-database-ended' }, 'the embedded database has ended');
    stopping.stop(1);
  });
  stopping.started(running);
  startWatchdog({
    stallSeconds: config.eventLoopStallSeconds,
    logFormat: config.logLevel === 'silent' ? null : config.logFormat,
    onError: (error) => {
      log.error({ event: 'watchdog-ended', err: error }, 'the event loop is not watched any more');
    },
  });
  if (config.logFormat === 'pretty') process.stdout.write(banner(config, running));
}

interface Stop {
  /** Stops the server and exits. Only the first call counts. */
  stop(exitCode: number): void;
  /** Until this is called, there is nothing to stop before the exit. */
  started(running: Server.Running): void;
}

function createStop(log: Logger): Stop {
  let running: Server.Running | undefined;
  let stopping = false;
  return {
    started: (server) => {
      running = server;
    },
    stop: (exitCode) => {
      if (stopping) return;
      stopping = true;
      log.info({ event: 'stopping' }, 'stopping');
      // Another Ctrl-C, or a stop that takes too long, exits at once.
      setTimeout(() => process.on('SIGINT', () => process.exit(130)), SAME_SIGNAL_MS).unref();
      setTimeout(() => process.exit(1), STOP_TIMEOUT_MS).unref();
      (running?.stop() ?? Promise.resolve()).then(
        () => process.exit(exitCode),
        (error: unknown) => {
          log.error({ event: 'stop-failed', err: error }, 'did not stop in order');
          process.exit(1);
        },
      );
    },
  };
}

/** Stops on signals, when npm ends, and after an error that nothing has caught. */
function stopOnSignals(stop: Stop['stop'], log: Logger): void {
  // These listeners stay, because a repeated signal without a listener would end the process at once.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
    process.on(signal, () => {
      stop(0);
    });
  watchNpm({
    environment: process.env,
    manifest: fileURLToPath(new URL('../package.json', import.meta.url)),
    scripts: ['start'],
    onEnded: () => {
      log.warn({ event: 'npm-ended' }, 'npm, which has started this process, has ended');
      stop(0);
    },
  });
  process.on('unhandledRejection', (error) => {
    log.fatal({ event: 'unhandled-rejection', err: error }, 'unhandled rejection');
    stop(1);
  });
}

/**
 * Loads the server with V8's compile cache of an earlier start. It is compiled each time if the cache cannot be
 * written, or if other users could have changed it.
 */
async function loadServer(): Promise<typeof Server> {
  // Available since Node 22.1 and 22.10.
  const { enableCompileCache, flushCompileCache, getCompileCacheDir } = nodeModule as Partial<
    typeof nodeModule
  >;
  // NODE_COMPILE_CACHE has already enabled the cache in another folder.
  if (getCompileCacheDir?.() === undefined) {
    try {
      await makePrivateFolder(COMPILED);
      await requirePrivate(COMPILED, { kind: 'folder' });
      enableCompileCache?.(COMPILED);
    } catch {
      // The checkout is read-only, or belongs to another user.
    }
  }
  const server = await import('./start.js');
  // Flushed now, because a server that is killed does not write the cache when it ends.
  flushCompileCache?.();
  return server;
}

main().catch((error: unknown) => {
  const expected = error instanceof ConfigError || error instanceof StartError;
  process.stderr.write(
    `Talebank cannot start. ${expected ? error.message : String((error as Error).stack)}\n`,
  );
  process.exit(1);
});
