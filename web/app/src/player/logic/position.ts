/** How far a recording was heard, by this device or by another one. */
export interface Position {
  readonly positionMs: number;
  readonly finished: boolean;
  readonly rate: number;
  /** By the clock of the server, in milliseconds. */
  readonly at: number;
}

/** Another device that is ahead or behind by less is where this one is. */
const NEAR_MS = 15_000;

export type Resumption =
  | { readonly kind: 'start'; readonly from: Position }
  /** Another device was used later, and elsewhere in the story: the listener chooses. */
  | { readonly kind: 'ask'; readonly here: Position; readonly there: Position };

/** Where to go on. The later report wins, unless that would move a listener who has a place on this device. */
export function resume(here: Position | null, there: Position | null): Resumption {
  const newest = later(here, there);
  if (newest === null) return { kind: 'start', from: BEGINNING };
  const moved =
    here !== null &&
    there !== null &&
    newest === there &&
    !here.finished &&
    Math.abs(there.positionMs - here.positionMs) > NEAR_MS;
  if (moved) return { kind: 'ask', here, there };
  // A story that was heard to its end begins again.
  if (newest.finished)
    return { kind: 'start', from: { ...newest, positionMs: 0, finished: false } };
  return { kind: 'start', from: newest };
}

/** The one that was reported later. The server keeps equal ones as they are. */
export function later(one: Position | null, other: Position | null): Position | null {
  if (one === null || other === null) return one ?? other;
  return one.at > other.at ? one : other;
}

const BEGINNING: Position = { positionMs: 0, finished: false, rate: 1, at: 0 };

/** Reports are sent this far apart while the recording plays. */
export const REPORT_MS = 10_000;

/** Whether a position is worth a report: it has moved, and enough time has passed or the listener has stopped. */
export function isDue(
  last: Position | null,
  now: Position,
  why: 'playing' | 'stopped' | 'leaving',
): boolean {
  if (last === null) return why !== 'playing' || now.positionMs > 0;
  const same =
    last.positionMs === now.positionMs && last.finished === now.finished && last.rate === now.rate;
  if (same) return false;
  return why !== 'playing' || now.at - last.at >= REPORT_MS;
}

/** A position that was kept on the device. Null when it is not readable. */
export function readPosition(text: string | null): Position | null {
  try {
    const value = JSON.parse(text ?? '') as Partial<Position>;
    const { positionMs, finished, rate, at } = value;
    const known = [positionMs, rate, at].every((number) => Number.isFinite(number));
    if (!known || typeof finished !== 'boolean') return null;
    return value as Position;
  } catch {
    return null;
  }
}
