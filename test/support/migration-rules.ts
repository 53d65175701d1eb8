import { loadModule, parseSync } from 'libpg-query';

/**
 * `breaks`: processes of the earlier release that still run fail or write wrong rows. `waits`: they wait for a lock for a
 * time that grows with the size of a table.
 */
export interface Fault {
  readonly kind: 'breaks' | 'waits';
  readonly what: string;
}

/** A node of the syntax tree of Postgres, by its fields. */
type Node = Readonly<Record<string, unknown>>;

const fieldOf = (node: Node | undefined, name: string): Node | undefined =>
  node?.[name] as Node | undefined;
const listOf = (node: Node | undefined, name: string): readonly Node[] =>
  (node?.[name] ?? []) as readonly Node[];
const textOf = (node: Node | undefined, name: string): string => (node?.[name] ?? '') as string;

const breaks = (what: string): Fault => ({ kind: 'breaks', what });
const waits = (what: string): Fault => ({ kind: 'waits', what });

/** Tables that grow with the number of users or movements, so that reading one of them takes long. */
const LARGE = new Set([
  ...['audios', 'audio_requests', 'audit_entries', 'credit_accounts', 'credit_allocations'],
  ...['credit_lots', 'credit_transactions', 'listenings', 'notices', 'renditions', 'sessions'],
  ...['rendition_timelines', 'spoken_sentences', 'stories', 'users'],
]);

const CONSTANTS = ['A_Const', 'TypeCast', 'A_ArrayExpr'];

/** What is wrong with a new column. Only a constant default is stored without rewriting the table. */
function ofColumn(definition: Node | undefined): Fault[] {
  const name = textOf(definition, 'colname');
  const constraints = listOf(definition, 'constraints').map((one) => fieldOf(one, 'Constraint'));
  const kinds = constraints.map((one) => textOf(one, 'contype'));
  const given = constraints.find((one) => textOf(one, 'contype') === 'CONSTR_DEFAULT');
  const expression = Object.keys(fieldOf(given, 'raw_expr') ?? {})[0] ?? '';
  const found: Fault[] = [];
  if (kinds.includes('CONSTR_NOTNULL') && given === undefined)
    found.push(breaks(`the column ${name} is NOT NULL and has no default`));
  if (given !== undefined && !CONSTANTS.includes(expression))
    found.push(waits(`the default of ${name} is computed for each row`));
  if (kinds.some((kind) => /GENERATED|IDENTITY/.test(kind)))
    found.push(waits(`${name} is generated for each row`));
  if (kinds.some((kind) => /UNIQUE|PRIMARY|CHECK|FOREIGN/.test(kind)))
    found.push(waits(`the constraint of ${name} reads the table`));
  return found;
}

const OF_COMMANDS: Readonly<Record<string, (command: Node, table: string) => readonly Fault[]>> = {
  AT_AddColumn: (command) => ofColumn(fieldOf(fieldOf(command, 'def'), 'ColumnDef')),
  AT_DropColumn: (command) => [breaks(`the column ${textOf(command, 'name')} is dropped`)],
  AT_SetNotNull: (command) => [breaks(`${textOf(command, 'name')} becomes NOT NULL`)],
  AT_AlterColumnType: (command) => [breaks(`the type of ${textOf(command, 'name')} changes`)],
  AT_ColumnDefault: (command) =>
    command['def'] === undefined ? [breaks(`${textOf(command, 'name')} loses its default`)] : [],
  AT_AddConstraint: (command, table) => {
    const constraint = fieldOf(fieldOf(command, 'def'), 'Constraint');
    const kind = textOf(constraint, 'contype');
    if (/UNIQUE|PRIMARY|EXCLUSION/.test(kind))
      return [breaks(`${table} gets a constraint that rows of an old process may violate`)];
    return constraint?.['skip_validation'] === true || !LARGE.has(table)
      ? []
      : [waits(`the constraint ${textOf(constraint, 'conname')} reads ${table}`)];
  },
};

/** What the statements before this one have done in the transaction of the migration. */
interface Before {
  readonly made: ReadonlySet<string>;
  /** Tables that are locked against readers until the transaction ends. */
  readonly locked: ReadonlySet<string>;
}

const tableOf = (statement: Node | undefined): string =>
  textOf(fieldOf(statement, 'relation'), 'relname');

function ofIndex(index: Node, { made, locked }: Before): Fault[] {
  const table = tableOf(index);
  if (made.has(table)) return [];
  const found: Fault[] = [];
  if (index['unique'] === true)
    found.push(breaks(`${table} gets a unique index that rows of an old process may violate`));
  if (locked.has(table)) found.push(waits(`an index is made while ${table} is locked`));
  else if (LARGE.has(table)) found.push(waits(`an index of ${table} is made`));
  return found;
}

const ofChange = (change: Node, { made, locked }: Before): Fault[] => {
  const table = tableOf(change);
  if (made.has(table)) return [];
  if (locked.has(table)) return [waits(`rows of ${table} change while it is locked`)];
  return LARGE.has(table) ? [waits(`rows of ${table} are locked until the end`)] : [];
};

const OF_STATEMENTS: Readonly<Record<string, (statement: Node, before: Before) => Fault[]>> = {
  AlterTableStmt: (statement, { made }) => {
    const table = tableOf(statement);
    if (made.has(table)) return [];
    return listOf(statement, 'cmds').flatMap((one) => {
      const command = fieldOf(one, 'AlterTableCmd') ?? {};
      return [...(OF_COMMANDS[textOf(command, 'subtype')]?.(command, table) ?? [])];
    });
  },
  RenameStmt: () => [breaks('something is renamed')],
  DropStmt: (statement) =>
    textOf(statement, 'removeType') === 'OBJECT_INDEX' ? [] : [breaks('something is dropped')],
  DoStmt: () => [breaks('a DO block cannot be checked')],
  TruncateStmt: () => [breaks('a table is emptied')],
  LockStmt: () => [waits('a table is locked')],
  IndexStmt: ofIndex,
  UpdateStmt: ofChange,
  DeleteStmt: ofChange,
};

/** Must be called once before `faultsOf`. */
export const loadParser = (): Promise<void> => loadModule();

/** What a migration does that processes of the earlier release do not get along with. It is one transaction. */
export function faultsOf(sql: string): Fault[] {
  const made = new Set<string>();
  const locked = new Set<string>();
  const found: Fault[] = [];
  const { stmts = [] } = parseSync(sql) as { stmts?: readonly { stmt?: unknown }[] };
  for (const { stmt } of stmts)
    for (const [kind, statement] of Object.entries((stmt ?? {}) as Record<string, Node>)) {
      found.push(...(OF_STATEMENTS[kind]?.(statement, { made, locked }) ?? []));
      if (kind === 'CreateStmt') made.add(tableOf(statement));
      if (kind === 'AlterTableStmt' && !made.has(tableOf(statement)))
        locked.add(tableOf(statement));
    }
  return found;
}
