import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import type { App } from '../../services/app.js';
import { countAgainstLimit } from '../../services/limits.js';
import {
  provideSample,
  SampleDelayed,
  SAMPLES_PATH,
} from '../../services/narrations/sampling/samples.js';
import { sendFile } from '../files.js';
import { addressOf } from '../requests.js';

const params = z.object({ file: z.string().regex(/^[0-9a-f]{64}\.mp3$/) });
const query = z.object({ voice: z.string().max(1_000) });

/** How a sample is named when it is saved, and how long clients may keep it. Its address changes with its sound. */
const AS_SAMPLE = { name: 'voice-sample', head: null, cacheControl: 'public, max-age=86400' };

/**
 * Samples of voices, for everyone: 404 for an address that is none, 429 beyond the limit, and 503 while the sample cannot
 * be made.
 */
export function serveSamples(server: FastifyInstance, app: App): void {
  server.get(`${SAMPLES_PATH}/:file`, { exposeHeadRoute: true }, async (request, reply) => {
    await countSample(app, request);
    const path = params.safeParse(request.params);
    const about = query.safeParse(request.query);
    const none = (): FastifyReply => reply.code(404).send({ error: 'There is no such sample.' });
    if (!path.success || !about.success) return none();
    const hash = path.data.file.slice(0, -'.mp3'.length);
    try {
      const key = await provideSample(app, { hash, voiceId: about.data.voice });
      return await (key === null ? none() : sendFile(app, request, reply, { key, ...AS_SAMPLE }));
    } catch (error) {
      if (!(error instanceof SampleDelayed)) throw error;
      return reply
        .code(503)
        .headers({ 'retry-after': error.retryAfterSeconds, 'cache-control': 'no-store' })
        .send({ error: error.message });
    }
  });
}

async function countSample(app: App, request: FastifyRequest): Promise<void> {
  const whose = addressOf(request);
  if (whose !== null) await countAgainstLimit(app, { limit: 'samples', by: 'address', whose });
}
