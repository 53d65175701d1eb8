import type { OpenApp } from '../../src/open-app.js';

type Connection = Pick<OpenApp['db'], '$queryRaw'>;

/**
 * How many blocks of tables and their indexes a statement reads, from memory or from the disk: the same on every machine.
 * @returns what it found, with that
 */
export function countBlocks<Result>(
  app: Pick<OpenApp, 'db'>,
  tables: readonly string[],
  work: (tx: Connection) => Promise<Result>,
): Promise<{ result: Result; blocks: number }> {
  return app.db.$transaction(async (tx) => {
    const before = await blocksSoFar(tx, tables);
    const result = await work(tx);
    return { result, blocks: (await blocksSoFar(tx, tables)) - before };
  });
}

/** By this connection, which counts until it tells its counts to the others. */
async function blocksSoFar(tx: Connection, tables: readonly string[]): Promise<number> {
  const [row] = await tx.$queryRaw<[{ blocks: number }]>`
    SELECT sum(pg_stat_get_xact_blocks_fetched(oid))::int AS blocks FROM pg_class
    WHERE relname = ANY(${[...tables]})
      OR oid IN (SELECT indexrelid FROM pg_index WHERE indrelid = ANY(${[...tables]}::regclass[]))`;
  return row.blocks;
}
