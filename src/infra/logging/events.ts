import { accountEvents } from './events/accounts.js';
import { databaseEvents } from './events/database.js';
import { ledgerEvents } from './events/ledger.js';
import { narrationEvents } from './events/narrations.js';
import { processEvents } from './events/process.js';
import { requestEvents } from './events/requests.js';
import type { Level } from './define.js';

/**
 * Every event that may be logged, by subject. To add one, add an entry to the file of its subject, and run
 * `npm run log-events`, which writes docs/log-events.md.
 */
export const EVENTS_BY_SUBJECT = {
  Requests: requestEvents,
  'Users and devices': accountEvents,
  'The ledger': ledgerEvents,
  Narrations: narrationEvents,
  'The process': processEvents,
  'Database, queue, storage and tasks': databaseEvents,
} as const;

export const EVENTS = {
  ...requestEvents,
  ...accountEvents,
  ...ledgerEvents,
  ...narrationEvents,
  ...processEvents,
  ...databaseEvents,
} as const;

type Events = typeof EVENTS;
export type EventName = keyof Events;

type Required<Name extends string> = Name extends `${string}?` ? never : Name;
type Optional<Name extends string> = Name extends `${infer Left}?` ? Left : never;

/** A line of the log: an event with its fields, and no other ones. */
export type Line<Name extends EventName> = { readonly event: Name } & Readonly<
  Record<Required<Events[Name]['fields'][number]>, unknown>
> &
  Readonly<Partial<Record<Optional<Events[Name]['fields'][number]>, unknown>>>;

/** Any line of a level. */
export type LineAt<L extends Level> = {
  [Name in EventName]: Events[Name]['level'] extends L ? Line<Name> : never;
}[EventName];

/** Logs lines of the listed events. A line without one, or at another level than the list says, does not compile. */
export interface Logger {
  fatal(line: LineAt<'fatal'>, message: string): void;
  error(line: LineAt<'error'>, message: string): void;
  warn(line: LineAt<'warn'>, message: string): void;
  info(line: LineAt<'info'>, message: string): void;
  debug(line: LineAt<'debug'>, message: string): void;
}
