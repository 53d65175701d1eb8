/** The one place that knows the process: its environment, its signals, its terminal. */
import { banner } from './banner.js';
import { ConfigError, readConfig } from './config.js';
import { currentRequest } from './http/requests.js';
import { createLogger } from './infra/log.js';
import { StartError } from './infra/start-error.js';
import type { Running } from './start.js';

async function main(): Promise<void> {
  const config = readConfig(process.env);
  const log = createLogger({
    level: config.logLevel,
    format: config.logFormat,
    about: () => currentRequest.getStore() ?? {},
  });
  const state: { running?: Running; stopping: boolean } = { stopping: false };

  const stop = (exitCode: number): void => {
    if (state.stopping) return;
    state.stopping = true;
    log.info('stopping');
    // A second signal, or a stop that does not end, ends the process as it is.
    process.once('SIGINT', () => process.exit(130));
    setTimeout(() => process.exit(1), 45_000).unref();
    (state.running?.stop() ?? Promise.resolve()).then(
      () => process.exit(exitCode),
      (error: unknown) => {
        log.error({ err: error }, 'did not stop in order');
        process.exit(1);
      },
    );
  };
  process.once('SIGINT', () => {
    stop(0);
  });
  process.once('SIGTERM', () => {
    stop(0);
  });
  process.on('unhandledRejection', (error) => {
    log.fatal({ err: error }, 'unhandled rejection');
    stop(1);
  });

  // The server takes a second to load, and what is wrong with the environment is known before.
  const { start } = await import('./start.js');
  const running = await start(config, log, () => {
    log.fatal('the embedded database has ended');
    stop(1);
  });
  state.running = running;
  if (config.logFormat === 'pretty') process.stdout.write(banner(config, running));
}

main().catch((error: unknown) => {
  const expected = error instanceof ConfigError || error instanceof StartError;
  process.stderr.write(
    `Talebank cannot start. ${expected ? error.message : String((error as Error).stack)}\n`,
  );
  process.exit(1);
});
