import { Readable } from 'node:stream';
import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import type { App } from '../services/app.js';
import { isSigned, streamKey, STREAMS_PATH } from '../services/narrations/addresses.js';
import { listenAlong } from '../services/narrations/synthesis/listen-along.js';
import { tagIn } from '../services/narrations/tags/tags.js';
import { dispositionOf, refuseAddress, signature } from './files.js';
import { holdConnection } from './requests.js';

const params = z.object({ file: z.string().regex(/^[0-9a-f-]{36}\.mp3$/) });

/**
 * Streams narrations as MP3 while they are being made, at signed addresses: 403 for a wrong or expired address, 404 for a
 * narration that is not being made. A stream that is cut off is incomplete.
 */
export function serveStreams(server: FastifyInstance, app: App): void {
  server.get(`${STREAMS_PATH}/:file`, { exposeHeadRoute: true }, async (request, reply) => {
    const path = params.safeParse(request.params);
    const address = signature.safeParse(request.query);
    const audioId = path.data?.file.slice(0, -'.mp3'.length) ?? '';
    if (!address.success || !(await isSigned(app, { key: streamKey(audioId), ...address.data })))
      return refuseAddress(reply);
    const gone = holdConnection(request, reply);
    if (gone === null) return reply;
    const sentences = await listenAlong(app, audioId, gone);
    if (sentences === null)
      return reply.code(404).send({ error: 'This narration is not being made.' });
    return reply
      .headers({
        'content-type': 'audio/mpeg',
        ...dispositionOf(address.data, 'mp3'),
        'cache-control': 'no-store',
        'accept-ranges': 'none',
      })
      .send(
        request.method === 'HEAD'
          ? Readable.from([])
          : Readable.from(behind(tagIn(address.data.tag), sentences), {
              objectMode: false,
              highWaterMark: 64 * 1024,
            }),
      );
  });
}

async function* behind(
  head: Uint8Array | null,
  sentences: AsyncGenerator<Uint8Array>,
): AsyncGenerator<Uint8Array> {
  if (head !== null) yield head;
  yield* sentences;
}
