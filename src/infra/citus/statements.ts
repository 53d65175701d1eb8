import type pg from 'pg';

/** The index behind a text, or the end of the script. */
function behind(script: string, text: string, from: number): number {
  const at = script.indexOf(text, from);
  return at === -1 ? script.length : at + text.length;
}

/** The mark of a dollar-quoted text that begins here, for example `$$`. Null when none does. */
function dollarMark(script: string, at: number): string | null {
  const close = script.indexOf('$', at + 1);
  const name = script.slice(at + 1, close);
  const isName = Array.from(name).every(
    (one, index) =>
      one === '_' ||
      one.toLowerCase() !== one.toUpperCase() ||
      (index > 0 && one >= '0' && one <= '9'),
  );
  return close !== -1 && isName ? `$${name}$` : null;
}

/** The index behind what begins here: a comment, a quoted text or name, or a single character. */
function behindPart(script: string, at: number): number {
  if (script.startsWith('--', at)) return behind(script, '\n', at);
  if (script.startsWith('/*', at)) return behind(script, '*/', at + 2);
  const one = script.charAt(at);
  // A doubled quote ends one text and begins the next.
  if (one === "'" || one === '"') return behind(script, one, at + 1);
  const mark = one === '$' ? dollarMark(script, at) : null;
  return mark === null ? at + 1 : behind(script, mark, at + mark.length);
}

/** What stands between the semicolons of a script. Joined by semicolons, it is the script. */
export function statementsOf(script: string): readonly string[] {
  const statements: string[] = [];
  let start = 0;
  for (let at = 0; at < script.length; at = behindPart(script, at)) {
    if (script[at] !== ';') continue;
    statements.push(script.slice(start, at));
    start = at + 1;
  }
  return [...statements, script.slice(start)];
}

/** Whether the database has the extension, and so takes a change of the schema only as a query of its own. */
export async function hasCitus(pool: pg.Pool): Promise<boolean> {
  const { rowCount } = await pool.query(`SELECT FROM pg_extension WHERE extname = 'citus'`);
  return rowCount !== 0;
}

/**
 * Runs a script in one transaction, a statement at a time, because Citus sends a change of a distributed table to the
 * workers as it came, and they take one statement. New tables stay on the coordinator until they are distributed.
 */
export async function runOneByOne(pool: pg.Pool, script: string): Promise<void> {
  const client = await pool.connect();
  try {
    await client.query('BEGIN');
    await client.query('SET LOCAL citus.enable_unsafe_triggers = on');
    await client.query('SET LOCAL citus.enable_local_reference_table_foreign_keys = off');
    await client.query(`SET LOCAL citus.multi_shard_modify_mode = 'sequential'`);
    for (const statement of statementsOf(script)) await client.query(statement);
    await client.query('COMMIT');
  } catch (error) {
    await client.query('ROLLBACK').catch(() => undefined);
    throw error;
  } finally {
    client.release();
  }
}
