import { Readable } from 'node:stream';
import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import type { App } from '../../app.js';
import {
  statementCsv,
  statementKey,
  STATEMENTS_PATH,
} from '../../services/accounting/statement-csv.js';
import { isSigned } from '../../services/narrations/addresses.js';
import { attachmentDisposition, fileNameOf } from '../../services/narrations/file-names.js';
import { refuseAddress, signature } from '../files.js';

const params = z.object({
  userId: z.uuid(),
  file: z.string().length('2026-10.csv'.length).endsWith('.csv'),
});

/**
 * Statements as CSV at signed addresses: 403 for a wrong or expired address, 404 when the person has left, 429 beyond the
 * limit of reads. A file without its last row is incomplete.
 */
export function serveStatements(server: FastifyInstance, app: App): void {
  server.get(
    `${STATEMENTS_PATH}/:userId/:file`,
    { exposeHeadRoute: true },
    async (request, reply) => {
      const path = params.safeParse(request.params);
      const address = signature.safeParse(request.query);
      if (!path.success || !address.success) return refuseAddress(reply);
      const { userId, file } = path.data;
      const month = file.slice(0, -'.csv'.length);
      if (!isSigned(app, { key: statementKey(userId, month), ...address.data }))
        return refuseAddress(reply);
      const lines = await statementCsv(app, userId, month);
      if (lines === null) return reply.code(404).send({ error: 'This statement is gone.' });
      return reply
        .headers({
          'content-type': 'text/csv; charset=utf-8; header=present',
          'content-disposition': attachmentDisposition(fileNameOf(address.data.name ?? ''), 'csv'),
          'cache-control': 'no-store',
        })
        .send(Readable.from(request.method === 'HEAD' ? [] : lines, { objectMode: false }));
    },
  );
}
