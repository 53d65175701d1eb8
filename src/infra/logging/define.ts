import type { FieldName } from './fields.js';

export type Level = 'fatal' | 'error' | 'warn' | 'info' | 'debug';

/** A kind of line that the log has. */
export interface EventDefinition {
  readonly level: Level;
  /** The fields of the line. A name that ends with `?` may be left out. */
  readonly fields: readonly (FieldName | `${FieldName}?`)[];
  /** When the line is written. */
  readonly when: string;
  /** What an operator does about it; null for nothing. */
  readonly action: string | null;
}

/** Declares events, and keeps their names, levels and fields as types. */
export const define = <const Events extends Readonly<Record<string, EventDefinition>>>(
  events: Events,
): Events => events;
