import type { Metrics } from '../metrics.js';
import type { MeasuredPool } from './measured-pool.js';

/** What a pool is for. */
export type PoolName = 'queries' | 'queue' | 'limits';

/** The pools of a process, whose figures are metrics. */
export interface WatchedPools {
  watch(name: PoolName, pool: MeasuredPool): void;
  /** Writes their present figures to the metrics. */
  setGauges(): void;
}

/**
 * Connects pools with the metrics. Waits are counted when they end, and the numbers of connections when `setGauges` is
 * called.
 */
export function watchPools(metrics: Metrics): WatchedPools {
  const pools = new Map<PoolName, MeasuredPool>();
  return {
    watch: (name, pool) => {
      pools.set(name, pool);
      const seconds = metrics.databaseWaitSeconds.labels({ pool: name });
      pool.onWaited = metrics.inBatches((waited: number) => {
        seconds.observe(waited);
      });
      metrics.databaseConnectionsMax.set({ pool: name }, pool.options.max);
    },
    setGauges: () => {
      for (const [name, pool] of pools) {
        const { inUseCount, idleCount, waitingCount } = pool;
        metrics.databaseConnections.set({ pool: name, state: 'in_use' }, inUseCount);
        metrics.databaseConnections.set({ pool: name, state: 'idle' }, idleCount);
        metrics.databaseWaiting.set({ pool: name }, waitingCount);
        metrics.databaseLongestWait.set({ pool: name }, pool.longestWaitSeconds());
      }
    },
  };
}
