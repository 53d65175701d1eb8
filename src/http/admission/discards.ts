/*
 * A server that answers while a body is still being sent, and closes the connection, resets it: the client sees a broken
 * pipe instead of the answer. So what is left of the body is read and thrown away.
 *
 * - Before the answer, until the body has ended. The answer comes early when the body is announced as longer than
 *   `DISCARD.bytesMax`, when more than that has come, when nothing comes for `silenceMsMax`, or after `durationMsMax`.
 * - After an early answer within the same bounds once more, because the client goes on sending until it has read the
 *   answer. Then the connection is closed.
 *
 * Nothing is kept. Each such body counts with one buffer in a budget of its own (`DISCARD_BOUNDS`); without room in it the
 * answer comes at once, and the connection is closed as soon as it is sent. All bodies together are read no faster than
 * `bytesPerSecondMax`, so that throwing away takes little time of the event loop.
 */
import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { Readable } from 'node:stream';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { admittedRequestOf, releaseBodyOf } from './admitted-request.js';
import { DISCARD, DISCARD_BOUNDS } from './bounds.js';
import { createBudget, type Hold } from './budget.js';

/** Takes note of bytes that were read. @returns how long to wait before more are read, in milliseconds */
type Pace = (bytes: number) => number;

/** Ends the reading of a body that is thrown away before its answer, by its connection. */
const ends = new WeakMap<Socket, () => void>();

/**
 * Lets the answer go out that waits for the rest of a body, because that cannot be read.
 * @returns whether there is one
 */
export function stopDiscarding(socket: Socket): boolean {
  const end = ends.get(socket);
  end?.();
  return end !== undefined;
}

/** Waits that are shorter than this are saved up, because a timer is not more exact. */
const WAIT_MS_MIN = 5;

/** Has the rest of each refused body read, so that its client sees the answer. */
export function discardRefusedBodies(server: FastifyInstance): void {
  const budget = createBudget(DISCARD_BOUNDS);
  const pace = createPace();
  server.addHook('onSend', (request, reply, payload, done) => {
    const own = admittedRequestOf(request);
    if (own === undefined || !isBeingSent(request.raw)) {
      done(null, payload);
      return;
    }
    const { address } = own;
    const bytes = DISCARD.bufferBytes;
    if (!budget.fits(address, bytes)) {
      void reply.header('connection', 'close');
      done(null, payload);
      return;
    }
    releaseBodyOf(own);
    releaseAtTheEnd(request, reply, budget.hold(address, bytes, null));
    void answer(request, reply, payload, pace).then((sent) => {
      done(null, sent);
    }, done);
  });
}

/** A response that waits behind another one on its connection emits no event when the connection closes. */
function releaseAtTheEnd(
  { raw: { socket } }: FastifyRequest,
  { raw }: FastifyReply,
  hold: Hold,
): void {
  const release = (): void => {
    raw.off('close', release);
    socket.off('close', release);
    hold.release();
  };
  raw.on('close', release);
  socket.on('close', release);
}

/** @returns the answer to send: after the rest of the body has come, or else one that waits for it in the end */
async function answer(
  { raw }: FastifyRequest,
  reply: FastifyReply,
  payload: unknown,
  pace: Pace,
): Promise<unknown> {
  const announced = Number(raw.headers['content-length'] ?? 0);
  if (announced <= DISCARD.bytesMax && (await discardRest(raw, pace))) return payload;
  // Node would read the rest of the body without a bound to use the connection again.
  void reply.header('connection', 'close');
  if (!isText(payload) || raw.method === 'HEAD') return payload;
  void reply.header('content-length', String(Buffer.byteLength(payload)));
  return Readable.from(
    (async function* () {
      yield payload;
      await discardRest(raw, pace);
    })(),
    { objectMode: false },
  );
}

const isText = (payload: unknown): payload is string | Buffer =>
  (typeof payload === 'string' || Buffer.isBuffer(payload)) && payload.length > 0;

const isBeingSent = ({ complete, destroyed, headers }: IncomingMessage): boolean =>
  !complete &&
  !destroyed &&
  (headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0);

function createPace(): Pace {
  let freeAtMs = 0;
  return (bytes) => {
    const nowMs = performance.now();
    freeAtMs = Math.max(freeAtMs, nowMs) + (bytes / DISCARD.bytesPerSecondMax) * 1000;
    return freeAtMs - nowMs;
  };
}

/** @returns whether all of the body has come */
function discardRest(raw: IncomingMessage, pace: Pace): Promise<boolean> {
  if (raw.complete || raw.destroyed) return Promise.resolve(raw.complete);
  return new Promise((resolve) => {
    let bytes = 0;
    let waiting: NodeJS.Timeout | undefined;
    const end = (): void => {
      ends.delete(raw.socket);
      for (const timer of [deadline, silence, waiting]) clearTimeout(timer);
      raw.off('data', onData).off('end', end).off('close', end).off('error', end).pause();
      resolve(raw.complete);
    };
    const onData = (chunk: Buffer): void => {
      bytes += chunk.length;
      const waitMs = pace(chunk.length);
      if (bytes > DISCARD.bytesMax) end();
      else if (waitMs < WAIT_MS_MIN) silence.refresh();
      else {
        raw.pause();
        clearTimeout(silence);
        waiting = setTimeout(goOn, waitMs);
      }
    };
    const goOn = (): void => {
      silence = setTimeout(end, DISCARD.silenceMsMax);
      raw.resume();
    };
    const deadline = setTimeout(end, DISCARD.durationMsMax);
    let silence = setTimeout(end, DISCARD.silenceMsMax);
    ends.set(raw.socket, end);
    raw.unpipe();
    raw.on('data', onData).on('end', end).on('close', end).on('error', end).resume();
  });
}
