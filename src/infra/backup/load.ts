import { pipeline } from 'node:stream/promises';
import type pg from 'pg';
import { from as copyFrom } from 'pg-copy-streams';
import { StartError } from '../start-error.js';
import { readForeignKeys, readTables, readTriggers, type TableShape } from './catalogue.sql.js';
import { columnsIn, nameIn } from './dump.js';
import { readCompressed } from './hashed-files.js';
import { tableFileOf, type Manifest, type TableFile } from './manifest.js';

/**
 * Writes the rows of a backup into a database that has been migrated as far as the backup's was. All of it is one
 * transaction, which also records that the load is done, so that an interrupted load leaves no rows.
 * @throws StartError when the tables are not those of the backup
 */
export async function loadDatabase(
  client: pg.Client,
  folder: string,
  { tables, sequences }: Pick<Manifest, 'tables' | 'sequences'>,
  note: () => Promise<void>,
): Promise<void> {
  await client.query('BEGIN');
  try {
    const there = await readTables(client);
    const ours = tables.filter(({ schema }) => schema === 'public');
    requireSameTables(
      ours,
      there.filter(({ schema }) => schema === 'public'),
    );
    const suspended = [...(await readTriggers(client)), ...(await readForeignKeys(client))];
    for (const { suspend } of suspended) await client.query(suspend);
    // Migrations write rows too.
    await client.query(`TRUNCATE ${ours.map(nameIn(client)).join(', ')}`);
    for (const table of ours) await loadTable(client, folder, table, nameIn(client)(table));
    for (const { resume } of suspended) await client.query(resume);
    for (const { name, lastValue } of sequences)
      await client.query('SELECT setval($1::regclass, $2)', [
        `public.${client.escapeIdentifier(name)}`,
        lastValue,
      ]);
    for (const table of tables.filter(({ schema }) => schema === 'pgboss'))
      await loadQueueTable(client, folder, table, there);
    await note();
    await client.query('COMMIT');
  } catch (error) {
    await client.query('ROLLBACK').catch(() => undefined);
    throw error;
  }
  await client.query('ANALYZE');
}

const described = ({ name, columns }: TableShape): string =>
  `${name} (${columns.map((column) => `${column.name} ${column.type}`).join(', ')})`;

function requireSameTables(ours: readonly TableShape[], there: readonly TableShape[]): void {
  const made = new Set(there.map(described));
  const kept = new Set(ours.map(described));
  const [unknown] = [
    ...ours.filter((table) => !made.has(described(table))),
    ...there.filter((table) => !kept.has(described(table))),
  ];
  if (unknown === undefined) return;
  throw new StartError(
    `The backup does not fit the migrations that it names: the table ${unknown.name} is not the same in both.`,
  );
}

async function loadTable(
  client: pg.Client,
  folder: string,
  table: TableFile,
  target: string,
): Promise<void> {
  const rows = client.query(
    copyFrom(`COPY ${target} (${columnsIn(client, table.columns)}) FROM STDIN`),
  );
  await pipeline([...readCompressed(tableFileOf(folder, table)), rows]);
  if (rows.rowCount === table.rows) return;
  throw new StartError(
    `The backup is damaged: ${table.schema}.${table.name} has ${String(rows.rowCount)} rows, but was written with ${String(table.rows)}.`,
  );
}

/**
 * The version of pg-boss may differ from that of the backup. So the rows go through a table with the columns of the
 * backup, and the columns that both have are kept. Columns that are new have their defaults.
 */
async function loadQueueTable(
  client: pg.Client,
  folder: string,
  table: TableFile,
  there: readonly TableShape[],
): Promise<void> {
  const made = there.find(({ schema, name }) => schema === 'pgboss' && name === table.name);
  if (made === undefined) return;
  const passage = client.escapeIdentifier(`backup_${table.name}`);
  const columns = table.columns.map(({ name, type }) => `${client.escapeIdentifier(name)} ${type}`);
  await client.query(`CREATE TEMPORARY TABLE ${passage} (${columns.join(', ')}) ON COMMIT DROP`);
  await loadTable(client, folder, table, passage);
  const both = table.columns.filter(({ name }) => made.columns.some((one) => one.name === name));
  const names = columnsIn(client, both);
  await client.query(
    `INSERT INTO ${nameIn(client)(made)} (${names}) SELECT ${names} FROM ${passage}`,
  );
}
