import type { Reader } from '../db.js';
import { withHost } from '../connections/address.js';
import { markDistributed } from './placement.js';

/** How the tables of users are stored. */
export interface Topology {
  /** Whether they are distributed over the nodes of a Citus cluster. */
  readonly isDistributed: boolean;
  /** The addresses of the nodes besides the coordinator. */
  readonly workers: readonly string[];
}

interface Worker {
  readonly host: string;
  readonly port: number;
}

/**
 * Finds out how the tables are stored, and lets the client know it. No locks.
 * @param url the address of the coordinator, whose user and database every node has
 */
export async function readTopology(db: Reader, url: string): Promise<Topology> {
  const [row] = await db.$queryRaw<{ hasCitus: boolean }[]>`
    SELECT EXISTS (SELECT FROM pg_extension WHERE extname = 'citus') AS "hasCitus"`;
  if (row?.hasCitus !== true) return { isDistributed: false, workers: [] };
  const [found] = await db.$queryRaw<{ isDistributed: boolean; workers: Worker[] | null }[]>`
    SELECT EXISTS (SELECT FROM pg_dist_partition WHERE partmethod = 'h'
        AND logicalrelid = 'public.credit_accounts'::regclass) AS "isDistributed",
      (SELECT json_agg(json_build_object('host', nodename, 'port', nodeport) ORDER BY nodeid) FROM pg_dist_node
       WHERE groupid <> 0 AND isactive AND noderole = 'primary') AS workers`;
  if (found?.isDistributed !== true) return { isDistributed: false, workers: [] };
  markDistributed(db);
  const workers = found.workers ?? [];
  return { isDistributed: true, workers: workers.map((node) => withHost(url, node)) };
}
