import { connected } from './connection.js';

/** How far the clock of the server is ahead of the clock of this device, in milliseconds. */
let ahead = 0;

/** Reads the time of the server from an answer. Differences of up to two seconds are the way that the answer took. */
export function readClock(response: Response): void {
  const date = Date.parse(response.headers.get('date') ?? '');
  if (Number.isNaN(date)) return;
  const difference = date - Date.now();
  ahead = Math.abs(difference) < 2000 ? 0 : difference;
}

/** The time by the clock of the server, because the clock of a device may be wrong. */
export const serverNow = (): Date => new Date(Date.now() + ahead);

/** `fetch` that also reads the clock of the server. */
export async function fetchWithClock(
  input: RequestInfo | URL,
  init?: RequestInit,
): Promise<Response> {
  try {
    const response = await fetch(input, init);
    readClock(response);
    connected.set(true);
    return response;
  } catch (error) {
    // A request that the page itself has given up says nothing about the connection.
    if (init?.signal?.aborted !== true) connected.set(false);
    throw error;
  }
}
