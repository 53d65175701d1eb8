import { Readable } from 'node:stream';
import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import type { App } from '../../services/app.js';
import {
  statementCsv,
  statementKey,
  STATEMENTS_PATH,
} from '../../services/accounting/statement-csv.js';
import { periodStatement } from '../../services/accounting/period-statement.js';
import { creditStatement, type CreditStatement } from '../../services/accounting/statement.js';
import { isSigned } from '../../services/narrations/addresses.js';
import { attachmentDisposition, fileNameOf } from '../../services/narrations/file-names.js';
import { refuseAddress, signature } from '../files.js';

const params = z.object({
  userId: z.uuid(),
  // A month, or the ends of a period in milliseconds since 1970.
  file: z.string().max(60).endsWith('.csv'),
});

/** Reads the statement that a signed address names. */
function statementOf(app: App, userId: string, period: string): Promise<CreditStatement> {
  if (period.length === '2026-10'.length) return creditStatement(app, userId, period);
  const [from = 0, to = 0] = endsOf(period);
  return periodStatement(app, userId, { from: new Date(from), to: new Date(to) });
}

/** The first number may be negative, before 1970. */
function endsOf(period: string): number[] {
  const between = period.indexOf('-', 1);
  return [period.slice(0, between), period.slice(between + 1)].map(Number);
}

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
      const period = file.slice(0, -'.csv'.length);
      if (!(await isSigned(app, { key: statementKey(userId, period), ...address.data })))
        return refuseAddress(reply);
      const lines = await statementCsv(app, userId, () => statementOf(app, userId, period));
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
