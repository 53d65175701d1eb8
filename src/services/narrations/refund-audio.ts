import { z } from 'zod';
import type { App } from '../app.js';
import { notFound } from '../../domain/errors.js';
import { asUserId, isId, type UserId } from '../../domain/ids.js';
import { line, parseRequest } from '../validation.js';

const refundInput = z.object({ audioId: z.string(), reason: line(1, 500) });

/**
 * Refunds the debit of a narration as an act of goodwill. The recording stays. Points that were given back before are
 * not given back again.
 * @param actorId the administrator
 * @returns the REFUND; seq is null when nothing was outstanding
 * @throws BAD_USER_INPUT, NOT_FOUND
 */
export async function refundAudio(
  app: App,
  input: { audioId: string; reason: string },
  actorId: UserId,
): Promise<{ userId: string; audioId: string; seq: number | null }> {
  const { audioId: asked, reason } = parseRequest(refundInput, input);
  const audio = isId(asked)
    ? await app.db.audio.findFirst({
        where: { id: asked },
        select: { userId: true, id: true, debitSeq: true },
      })
    : null;
  if (audio === null) throw notFound('narration');
  const { userId, id: audioId, debitSeq } = audio;
  const { seq } = await app.ledger.refund({ userId: asUserId(userId), debitSeq, reason, actorId });
  return { userId, audioId, seq };
}
