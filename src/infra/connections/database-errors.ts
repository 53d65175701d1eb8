import { codeOf, DomainError } from '../../domain/errors.js';
import { propertyOf, textOf } from '../../domain/objects.js';
import { answerTo, isSqlState, isUnreachableCode, type Answer } from './sql-states.js';

interface DatabaseError {
  /** Prisma's own, or of the system. */
  readonly code: string | undefined;
  readonly sqlState: string | undefined;
  readonly severity: string | undefined;
  readonly kind: string | undefined;
}

/** An error of Prisma, of its adapter, or of pg itself. */
export function describe(error: unknown): DatabaseError {
  const inner = adapterCauseOf(error) ?? propertyOf(error, 'cause');
  const code = codeOf(error);
  const state = textOf(propertyOf(inner, 'originalCode')) ?? codeOf(inner) ?? code;
  return {
    code,
    sqlState: state !== undefined && isSqlState(state) ? state : undefined,
    severity: textOf(propertyOf(inner, 'severity')) ?? textOf(propertyOf(error, 'severity')),
    kind: textOf(propertyOf(inner, 'kind')),
  };
}

/** What the adapter of Prisma knows about an error of Postgres. */
const adapterCauseOf = (error: unknown): unknown =>
  propertyOf(propertyOf(propertyOf(error, 'meta'), 'driverAdapterError'), 'cause');

/** Errors of Prisma itself, which have no SQLSTATE. */
const ANSWERS_TO_PRISMA: Readonly<Record<string, Answer>> = {
  // Cannot reach, timed out, closed, no free connection, transaction lost or over time, too many connections.
  P1001: 'BUSY',
  P1002: 'BUSY',
  P1008: 'BUSY',
  P1017: 'BUSY',
  P2024: 'BUSY',
  P2028: 'BUSY',
  P2037: 'BUSY',
  P2034: 'RETRY',
  DatabaseNotReachable: 'BUSY',
  ConnectionClosed: 'BUSY',
  SocketTimeout: 'BUSY',
  TooManyConnections: 'BUSY',
  TlsConnectionError: 'BUSY',
  TransactionWriteConflict: 'RETRY',
};

/** Messages of errors of pg that have no code. */
const UNREACHABLE_MESSAGES =
  /Connection terminated|timeout exceeded when trying to connect|Client has encountered a connection error|timeout expired/;

/**
 * How to answer an error of the database. Prisma’s own code comes first, then the code of the network, then the
 * SQLSTATE, then the messages of pg that have no code. Any other error is INTERNAL.
 */
export function answerOf(error: unknown): Answer {
  const { code, sqlState, severity, kind } = describe(error);
  const known = ANSWERS_TO_PRISMA[kind ?? ''] ?? ANSWERS_TO_PRISMA[code ?? ''];
  if (known !== undefined) return known;
  if (code !== undefined && isUnreachableCode(code)) return 'BUSY';
  if (sqlState !== undefined) return answerTo(sqlState, severity);
  const message = error instanceof Error ? error.message : '';
  return UNREACHABLE_MESSAGES.test(message) ? 'BUSY' : 'INTERNAL';
}

/** At most this many causes are examined. */
const CAUSES_MAX = 5;

/**
 * The error of the database that caused an error, however it is wrapped.
 * @returns null when the cause is not the database
 */
export function databaseRefusal(error: unknown): { state: string | null; message: string } | null {
  let current = error;
  for (let depth = 0; depth < CAUSES_MAX && current instanceof Error; depth += 1) {
    const { sqlState } = describe(current);
    const message =
      textOf(propertyOf(adapterCauseOf(current), 'originalMessage')) ?? current.message;
    if (sqlState !== undefined) return { state: sqlState, message };
    if (!(current instanceof DomainError) && answerOf(current) === 'BUSY')
      return { state: null, message };
    current = current.cause;
  }
  return null;
}

/** Whether a statement failed because a lock of another transaction was not released in time. */
export const isLockRefused = (error: unknown): boolean => databaseRefusal(error)?.state === '55P03';

/** Whether a table is missing, as in a database that was not migrated. */
export const isTableMissing = (error: unknown): boolean => {
  const { code, sqlState, kind } = describe(error);
  return code === 'P2021' || sqlState === '42P01' || kind === 'TableDoesNotExist';
};

/** Whether a row could not be written because another one has its unique value. */
export function isUniqueViolation(error: unknown): boolean {
  const { code, kind } = describe(error);
  return code === 'P2002' || kind === 'UniqueConstraintViolation';
}
