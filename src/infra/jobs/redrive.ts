import type { CommandResponse, PgBoss } from 'pg-boss';

/** @returns how many jobs a command of pg-boss has changed, which its types do not have */
export function affectedBy(response: CommandResponse): number {
  const affected: unknown = 'affected' in response ? response.affected : undefined;
  if (typeof affected !== 'number')
    throw new Error('pg-boss did not say how many jobs it changed.');
  return affected;
}

/**
 * Puts failed jobs into their queue again. A job that the queue refuses is left out.
 * @returns how many were put back
 */
export async function retryJobs(
  boss: PgBoss,
  queueName: string,
  ids: readonly string[],
): Promise<number> {
  const retry = async (some: readonly string[]): Promise<number> =>
    affectedBy(await boss.retry(queueName, [...some]));
  if (ids.length === 0) return 0;
  try {
    return await retry(ids);
  } catch {
    // A queue that keeps only one waiting job refuses the whole list. One by one, some can be retried.
    let retried = 0;
    for (const id of ids) retried += await retry([id]).catch(() => 0);
    return retried;
  }
}
