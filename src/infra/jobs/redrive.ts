import type { PgBoss } from 'pg-boss';

export async function retryJobs(
  boss: PgBoss,
  queueName: string,
  ids: readonly string[],
): Promise<number> {
  const retry = async (some: readonly string[]): Promise<number> =>
    ((await boss.retry(queueName, [...some])) as { affected: number }).affected;
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
