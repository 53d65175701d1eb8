import { setTimeout as sleep } from 'node:timers/promises';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { busy } from '../../domain/errors.js';
import { refuseManyKeys } from '../json/keys.js';
import { admittedRequestOf } from './admitted-request.js';
import { createLane, type Lane } from './lane.js';

/** Longer bodies keep the event loop for milliseconds: parsing, checking and refusing a megabyte takes up to fifty. */
const LONG_BODY_CHARACTERS = 64 * 1024;
/** Longer documents take up to some milliseconds to be parsed and measured. */
const LONG_DOCUMENT_CHARACTERS = 400;
/** An operation that may answer more objects, or that much text, takes some milliseconds to be executed and written. */
const HIGH_COST = 500;
/** By then a request has usually done its synchronous work and is waiting for the database. */
const TURN_MAX_MS = 200;

/**
 * Parses long bodies one after the other, each followed by a pause, so that clients that send nothing else cannot hold
 * up the others. A turn begins when the whole body has come, so that a client that sends slowly takes no time of it.
 */
export function paceLongBodies(server: FastifyInstance): void {
  const lane = createLane('always');
  const parse = server.getDefaultJsonParser('error', 'error');
  server.removeContentTypeParser('application/json');
  server.addContentTypeParser<string>(
    'application/json',
    { parseAs: 'string' },
    (request, body, done) => {
      prepareToParse(lane, request, body).then(() => {
        void parse(request, body, done);
      }, done);
    },
  );
}

async function prepareToParse(lane: Lane, request: FastifyRequest, body: string): Promise<void> {
  if (body.length <= LONG_BODY_CHARACTERS) return;
  await takeTurn(lane, request);
  refuseManyKeys(body);
}

/**
 * Reads a document. Long ones take turns, so that short requests are answered in between.
 * @throws BUSY when no turn came
 */
export async function readInTurn<T>(
  lane: Lane,
  request: FastifyRequest,
  text: string,
  read: () => T,
): Promise<T> {
  if (text.length <= LONG_DOCUMENT_CHARACTERS) return read();
  const end = await lane.enter(admittedRequestOf(request)?.address ?? '');
  if (end === null) throw busy();
  try {
    return read();
  } finally {
    end();
  }
}

/**
 * Waits until an operation may run. Expensive ones take turns while they compute.
 * @throws BUSY when no turn came, or when the client has left meanwhile
 */
export async function paceOperation(lane: Lane, request: FastifyRequest): Promise<void> {
  const cost = admittedRequestOf(request)?.cost ?? 0;
  if (cost > HIGH_COST) await takeTurn(lane, request);
}

/**
 * Takes a turn of a request that ends when it is answered, or when it has lasted TURN_MAX_MS.
 * @throws BUSY when no turn came, or when the client has left meanwhile; the answer releases what the request holds
 */
async function takeTurn(lane: Lane, request: FastifyRequest): Promise<void> {
  const own = admittedRequestOf(request);
  const end = await lane.enter(own?.address ?? '');
  if (end === null) throw busy();
  if (own?.closed === true) {
    end();
    throw busy();
  }
  own?.endTurns.push(end);
  void sleep(TURN_MAX_MS).then(end);
}
