import { stringifyDocument, type Client } from '@urql/core';
import { isDue, type Position } from './logic/position.js';
import type { ReportReason } from './machine/events.js';
import { ReportListening } from './queries.js';

const last = new Map<string, Position>();

/** Tells the server how far a recording was heard, so that every device of the listener knows. */
export function reportListening(
  client: Client,
  audioId: string,
  now: Position,
  why: ReportReason,
): void {
  if (!isDue(last.get(audioId) ?? null, now, why)) return;
  last.set(audioId, now);
  const { positionMs, finished, rate, at } = now;
  const input = { audioId, positionMs, finished, rate, at: new Date(at).toISOString() };
  // A page that is being closed cannot wait for an answer, and cannot send a header.
  if (why === 'leaving') sendBeacon({ input });
  else
    void client
      .mutation(ReportListening, { input })
      .toPromise()
      .then(({ error }) => {
        // Without a connection the place is kept on the device, and reported with the next one.
        if (error !== undefined) last.delete(audioId);
      });
}

function sendBeacon(variables: object): void {
  const query = stringifyDocument(ReportListening);
  const body = JSON.stringify({ query, variables });
  navigator.sendBeacon('/graphql', new Blob([body], { type: 'application/json' }));
}
