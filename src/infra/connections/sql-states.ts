/**
 * What is answered when Postgres refuses a statement or a connection:
 * - `RETRY`: another transaction was in the way. The transaction is tried again, a bounded number of times, and then
 *   the answer is BUSY (503).
 * - `BUSY`: the database, or what it needs, is out of reach at the moment. BUSY (503) at once; the client may repeat it.
 * - `INTERNAL`: repeating does not help, because the statement or the database is at fault. INTERNAL (500), logged.
 */
export type Answer = 'RETRY' | 'BUSY' | 'INTERNAL';

/**
 * The classes that are about connections, transactions, resources and operators, state by state
 * (https://www.postgresql.org/docs/current/errcodes-appendix.html). `otherwise` is for states that are not listed.
 * Every other class is INTERNAL. Errors of the classes 22 and 23 are handled where they are expected.
 */
const CLASSES: Readonly<Record<string, { readonly otherwise: Answer } & Record<string, Answer>>> = {
  // Connections: none, lost, refused; 08007 leaves open whether the commit happened, and keys make repeating safe.
  '08': { otherwise: 'BUSY', '08P01': 'INTERNAL' },
  // The state of the transaction: a standby after a failover, and time-outs that end the session. The rest is ours.
  '25': { otherwise: 'INTERNAL', '25006': 'BUSY', '25P03': 'BUSY', '25P04': 'BUSY' },
  // Authorisation: the server's rules have changed since the start.
  '28': { otherwise: 'BUSY' },
  // The database was renamed or dropped since the start.
  '3D': { otherwise: 'BUSY' },
  // Rolled back: conflicts and deadlocks. 40003 leaves open what happened; 40002 is a constraint.
  '40': { otherwise: 'RETRY', '40002': 'INTERNAL', '40003': 'BUSY' },
  // No resources: disk, memory, connections.
  '53': { otherwise: 'BUSY' },
  // What a statement needs is not there; objects and locks that others hold.
  '55': { otherwise: 'INTERNAL', '55006': 'BUSY', '55P03': 'BUSY' },
  // An operator: cancelled or timed out, stopping, crashed, starting, dropped, idle for too long.
  '57': { otherwise: 'BUSY' },
  // The operating system: input and output fail. Missing or duplicate files need an operator, not a retry.
  '58': { otherwise: 'BUSY', '58P01': 'INTERNAL', '58P02': 'INTERNAL', '58P03': 'INTERNAL' },
};

/** Errors of these severities have ended the session. */
const ENDED = ['FATAL', 'PANIC'];

/**
 * States that mean one thing of a statement and another of a session: a pooler refuses clients with 08P01, and a
 * database that takes no connections has 55000.
 */
const BUSY_WHEN_ENDED = ['08P01', '55000'];

/** @param severity as Postgres sends it; without it, the error is taken for one of a statement */
export function answerTo(sqlState: string, severity?: string): Answer {
  if (severity !== undefined && ENDED.includes(severity) && BUSY_WHEN_ENDED.includes(sqlState))
    return 'BUSY';
  const known = CLASSES[sqlState.slice(0, 2)];
  return known?.[sqlState] ?? known?.otherwise ?? 'INTERNAL';
}

/** States that clients get as BUSY, but that only an operator can resolve. They are logged. */
export const needsOperator = (sqlState: string): boolean =>
  ['25006', '53100', '53200', '53400'].includes(sqlState) || /^(?:28|3D|58)/.test(sqlState);

/** Error codes of the operating system: the connection was refused or lost, or the server cannot be reached. */
const UNREACHABLE = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'ECONNABORTED',
  'ENOENT',
  'ENOTFOUND',
  'EAI_AGAIN',
  'ENETUNREACH',
  'ENETDOWN',
  'EHOSTUNREACH',
  'EHOSTDOWN',
  'EPIPE',
  'ETIMEDOUT',
  'EMFILE',
]);

/** Whether Node gives this code to an error of a connection that could not be made or was lost. */
export const isUnreachableCode = (code: string): boolean => UNREACHABLE.has(code);

/** Five characters, of which the first two are the class. Codes of Node are longer, and Prisma's begin with P. */
export const isSqlState = (code: string): boolean =>
  /^[0-9A-Z]{5}$/.test(code) && !/^P[1-9]/.test(code);

/** Whether the session may have ended with this state, so that it is unknown whether the work was committed. */
export const losesSession = (sqlState: string): boolean => /^(?:08|57P|58|XX)/.test(sqlState);
