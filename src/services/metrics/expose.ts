import { statfs } from 'node:fs/promises';
import type { App } from '../app.js';
import { readWaitingAnchors } from '../anchors/waiting.js';
import { SCHEDULED_QUEUES } from '../queues.js';
import { FIGURES } from './figures.js';
import { keepFigure } from './kept-figures.js';

export interface Exposed {
  readonly contentType: string;
  readonly text: string;
}

/**
 * Prepares the metrics of this process and of the whole installation.
 * @returns a function that answers with all metrics in Prometheus' text format. While the database does not answer, the
 * metrics that are read from it keep their last values, and `database_answers` is 0.
 */
export function exposeMetrics(app: App): () => Promise<Exposed> {
  const figures = FIGURES.map((figure) => keepFigure(app, figure));
  for (const { task, intervalSeconds } of SCHEDULED_QUEUES)
    app.metrics.taskIntervalSeconds.set({ task }, intervalSeconds);
  return async () => {
    const [answers] = await Promise.all([
      Promise.all(figures.map((figure) => figure.refresh())),
      setDisk(app),
      setWaitingAnchors(app),
    ]);
    app.metrics.databaseAnswers.set(answers.every(Boolean) ? 1 : 0);
    app.metrics.subscriptions.set(app.followers.count());
    app.pools.setGauges();
    const { name } = app.speech;
    app.metrics.speechResting.set({ provider: name }, app.speech.resting() === null ? 0 : 1);
    return app.metrics.expose();
  };
}

async function setDisk({ config, metrics, log }: App): Promise<void> {
  try {
    const { bavail, blocks, bsize } = await statfs(config.dataDir);
    metrics.diskFreeBytes.set({ volume: 'data' }, bavail * bsize);
    metrics.diskSizeBytes.set({ volume: 'data' }, blocks * bsize);
  } catch (error) {
    log.warn(
      { event: 'disk-not-read', err: error },
      'the free space of DATA_DIR could not be read',
    );
  }
}

async function setWaitingAnchors({ config, metrics, log }: App): Promise<void> {
  try {
    const { count, oldestSeconds } = await readWaitingAnchors(config.dataDir);
    metrics.anchorsWaiting.set(count);
    metrics.anchorsWaitingSeconds.set(oldestSeconds);
  } catch (error) {
    log.warn(
      { event: 'disk-not-read', err: error },
      'the anchors that wait in DATA_DIR could not be read',
    );
  }
}
