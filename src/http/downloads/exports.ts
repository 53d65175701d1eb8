import { createGunzip } from 'node:zlib';
import { pipeline, Readable } from 'node:stream';
import type { FastifyInstance, FastifyReply } from 'fastify';
import { z } from 'zod';
import type { App } from '../../services/app.js';
import {
  exportFileKey,
  exportKey,
  EXPORTS_PATH,
  stateOfExport,
} from '../../services/accounts/export/data-export.js';
import { isSigned } from '../../services/narrations/addresses.js';
import { attachmentDisposition, fileNameOf } from '../../services/narrations/file-names.js';
import { openFile } from '../../services/narrations/files.js';
import { refuseAddress, signature } from '../files.js';

const ENDING = '.json';
const params = z.object({
  userId: z.uuid(),
  file: z
    .string()
    .max(60)
    .endsWith(ENDING)
    .transform((file) => file.slice(0, -ENDING.length))
    .pipe(z.uuid()),
});
const RETRY_SECONDS = '2';

/**
 * Archives of users' data at signed addresses: 202 with Retry-After while the archive is made, 403 for a wrong or expired
 * address, and 404 when the account or the file is gone.
 */
export function serveExports(server: FastifyInstance, app: App): void {
  const url = `${EXPORTS_PATH}/:userId/:file`;
  server.get(url, { exposeHeadRoute: true }, async (request, reply) => {
    const path = params.safeParse(request.params);
    const address = signature.safeParse(request.query);
    if (!path.success || !address.success) return refuseAddress(reply);
    const { userId, file: id } = path.data;
    if (!(await isSigned(app, { key: exportKey(userId, id), ...address.data })))
      return refuseAddress(reply);
    void reply.header('cache-control', 'no-store');
    const state = await stateOfExport(app, { userId, id });
    if (state === 'gone') return gone(reply);
    if (state === 'making')
      return reply
        .code(202)
        .header('retry-after', RETRY_SECONDS)
        .send({ message: 'The archive is being made. Request this address again later.' });
    const key = exportFileKey(userId, id);
    const stored = await app.storage.stat(key);
    if (stored === null) return gone(reply);
    const bytes =
      request.method === 'HEAD'
        ? Readable.from([])
        : await openFile(app, key, { start: 0, end: stored.lengthBytes - 1 });
    if (bytes === null) return gone(reply);
    const name = fileNameOf(address.data.name ?? '');
    void reply.headers({
      'content-type': 'application/json; charset=utf-8',
      'content-disposition': attachmentDisposition(name, 'json'),
      vary: 'accept-encoding',
    });
    if (request.method === 'HEAD') return reply.send(bytes);
    if (!/\bgzip\b/.test(request.headers['accept-encoding'] ?? ''))
      return reply.send(pipeline(bytes, createGunzip(), () => undefined));
    return reply
      .headers({ 'content-encoding': 'gzip', 'content-length': stored.lengthBytes })
      .send(bytes);
  });
}

const gone = (reply: FastifyReply): FastifyReply =>
  reply
    .code(404)
    .send({ error: 'This archive no longer exists. Request a new one with exportMyData.' });
