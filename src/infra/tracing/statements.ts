import type { SqlDriverAdapterFactory, SqlQuery, SqlQueryable } from '@prisma/driver-adapter-utils';
import { LRUCache } from 'lru-cache';
import { isTracing, traced } from './tracing.js';

/**
 * Makes a span of every statement that Prisma sends as a part of a request or a job. They are made here, where Prisma
 * hands statements to the driver, because there the caller's context is known, which a pool of connections loses.
 * Nothing is wrapped when tracing is off.
 */
export function traceStatements<Factory extends SqlDriverAdapterFactory>(
  factory: Factory,
): Factory {
  if (!isTracing()) return factory;
  const connect = factory.connect.bind(factory);
  factory.connect = async () => {
    const adapter = traceQueries(await connect());
    const begin = adapter.startTransaction.bind(adapter);
    adapter.startTransaction = (isolationLevel) =>
      statement('BEGIN', async () => traceQueries(await begin(isolationLevel)));
    return adapter;
  };
  return factory;
}

/** COMMIT and ROLLBACK are statements of Prisma like any other; only BEGIN is sent by the driver's adapter. */
function traceQueries<Queryable extends SqlQueryable>(queryable: Queryable): Queryable {
  const queryRaw = queryable.queryRaw.bind(queryable);
  const executeRaw = queryable.executeRaw.bind(queryable);
  queryable.queryRaw = (query) => statement(summaryOf(query), () => queryRaw(query));
  queryable.executeRaw = (query) => statement(summaryOf(query), () => executeRaw(query));
  return queryable;
}

const statement = <Result>(summary: string, work: () => Promise<Result>): Promise<Result> =>
  traced(
    summary,
    {
      kind: 'client',
      attributes: { 'db.system.name': 'postgresql', 'db.query.summary': summary },
    },
    work,
  );

const LOOKED_AT = 4_000;
/** Summaries are remembered, because the same statements come again and again. */
const summaries = new LRUCache<string, string>({ max: 1_000 });

/**
 * What a statement does, and to which tables, without values and conditions, for example
 * `WITH INSERT audio_requests INSERT audios`.
 */
function summaryOf({ sql }: SqlQuery): string {
  // A client's list can make a statement long, and each length of a list is another statement.
  if (sql.length > LOOKED_AT) return summarise(sql);
  const known = summaries.get(sql);
  if (known !== undefined) return known;
  const summary = summarise(sql);
  summaries.set(sql, summary);
  return summary;
}

const TARGETS =
  /\b(insert into|update|delete from|from|join)\s(?:"?[a-z]{1,20}"?\.)?"?([a-z_]{1,63})"?/gi;
/** What follows one of these words and is no table. */
const NOT_TABLES = [
  'set',
  'skip',
  'of',
  'nowait',
  'lateral',
  'unnest',
  'json_to_recordset',
  'only',
];
const TARGETS_MAX = 6;
const OPERATION = /^(?:\/\*[\w ]{0,40}\*\/)?\s?([a-z]{1,20})/i;

function summarise(sql: string): string {
  const text = sql.slice(0, LOOKED_AT).trimStart();
  const operation = OPERATION.exec(text)?.[1]?.toUpperCase() ?? 'STATEMENT';
  const targets = [...text.matchAll(TARGETS)]
    .filter(([, , table = '']) => !NOT_TABLES.includes(table.toLowerCase()))
    .map(([, verb = '', table = '']) => {
      const word = verb.split(' ')[0]?.toUpperCase() ?? '';
      return word === 'FROM' || word === 'JOIN' ? table : `${word} ${table}`;
    });
  const [first = '', ...rest] = [...new Set(targets)].slice(0, TARGETS_MAX);
  const begin = first.startsWith(`${operation} `) ? first : `${operation} ${first}`;
  return [begin.trim(), ...rest].join(' ');
}
