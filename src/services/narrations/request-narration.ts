import { z } from 'zod';
import type { App } from '../app.js';
import { DomainError } from '../../domain/errors.js';
import { isId, rowKey, type RowKey } from '../../domain/ids.js';
import { planDebit } from '../../domain/ledger/allocation.js';
import { hashRequest } from '../../domain/ledger/idempotency.js';
import { isCleanText } from '../../domain/text.js';
import { priceOf } from '../../domain/pricing.js';
import { currentOrigin } from '../../infra/tracing/origin.js';
import { readQuotableLots } from '../credits/credits.sql.js';
import { lotOfRow } from '../ledger/books.js';
import { seesEverybody, type Viewer } from '../sessions/viewer.js';
import { findStory, storiesById, type Story } from '../stories/stories.js';
import { findVoice, type Voice } from '../stories/voices.js';
import { idempotencyKey, parseRequest, points } from '../validation.js';
import { findNarration, type AudioView } from './audios.js';
import { checkReadable } from './readable.js';
import { remakeIfLost } from './remake-lost.js';
import type { NarrationOutcome } from './settle-narrations.js';

const synthesizeInput = z.object({
  storyId: z.string(),
  voiceId: z.string(),
  maxCredits: points(0, 2_147_483_647)
    .nullish()
    .transform((most) => most ?? null),
  idempotencyKey: idempotencyKey.nullish().transform((key) => key ?? null),
});
export type SynthesizeAudioInput = z.input<typeof synthesizeInput>;

/** The present price of narrating the story, in points. */
export const priceOfStory = (app: App, story: Pick<Story, 'characterCount'>): number =>
  priceOf(story.characterCount, app.config.credits.unitSize);

interface Asked {
  readonly storyId: string;
  readonly voiceId: string;
}

/**
 * Finds story and voice. A narration that the viewer has paid for can be requested even if its story or voice has been
 * withdrawn.
 */
async function findAsked(
  app: App,
  viewer: Viewer,
  asked: Asked,
): Promise<{ story: Story; voiceId: string; voice: Voice | null }> {
  const { storyId, voiceId } = asked;
  try {
    const unpublished = seesEverybody(viewer);
    const story = await findStory(app, { id: storyId }, { unpublished });
    return { story, voiceId, voice: await findVoice(app, voiceId) };
  } catch (error) {
    const story =
      error instanceof DomainError && error.code === 'NOT_FOUND'
        ? await findKept(app, viewer, asked)
        : null;
    if (story === null) throw error;
    return { story, voiceId, voice: null };
  }
}

/** The story of a narration that the viewer has paid for, published or not. */
async function findKept(
  app: App,
  { userId }: Viewer,
  { storyId, voiceId }: Asked,
): Promise<Story | null> {
  if (!isId(storyId) || !isCleanText(voiceId)) return null;
  const [story] = (await storiesById(app, [storyId])).values();
  if (story === undefined) return null;
  const { id, textHash } = story;
  const narration = await findNarration(app, { userId, storyId: id, textHash, voiceId });
  return narration !== null && isPaidFor(narration) ? story : null;
}

/** Checks that the voice can read the story. A narration that the viewer has paid for is not checked again. */
async function checkVoice(
  app: App,
  { userId }: Viewer,
  { story, voice }: { story: Story; voice: Voice | null },
): Promise<void> {
  if (voice === null) return;
  try {
    await checkReadable(app, story, voice);
  } catch (error) {
    const { id: storyId, textHash } = story;
    const narration = await findNarration(app, { userId, storyId, textHash, voiceId: voice.id });
    if (narration === null || !isPaidFor(narration)) throw error;
  }
}

/**
 * Requests a narration. One that exists or is being made is returned without a charge. One whose recording is lost is
 * remade.
 * @throws BAD_USER_INPUT, NOT_FOUND (story or voice), VOICE_CANNOT_READ, PRICE_CHANGED, INSUFFICIENT_CREDITS, IDEMPOTENCY_KEY_REUSED, BUSY
 */
export async function synthesizeAudio(
  app: App,
  viewer: Viewer,
  input: SynthesizeAudioInput,
): Promise<NarrationOutcome & { userId: string }> {
  const request = parseRequest(synthesizeInput, input);
  const { userId } = viewer;
  // The allowance is spent before points that never lapse, so it must be granted before the debit chooses its lots.
  const [{ story, voiceId, voice }] = await Promise.all([
    findAsked(app, viewer, request),
    app.points.grantDue(userId),
  ]);
  await checkVoice(app, viewer, { story, voice });
  const outcome = await app.ledger.narrate({
    userId,
    storyId: story.id,
    textHash: story.textHash,
    voiceId,
    price: priceOfStory(app, story),
    maxCredits: request.maxCredits,
    reason: `Narration of “${story.title}”`,
    idempotencyKey: request.idempotencyKey,
    requestHash: hashRequest([story.id, voiceId, request.maxCredits]),
    origin: currentOrigin(),
  });
  const { audioId, debitSeq, begun } = outcome;
  if (!begun) await remakeIfLost(app, { userId, audioId });
  app.log.info(
    { event: 'narration-requested', userId, audioId, seq: debitSeq },
    'narration requested',
  );
  return { ...outcome, userId };
}

export interface Quote {
  /** Points, like `balance` and `shortfall`. */
  readonly requiredCredits: number;
  readonly balance: number;
  readonly affordable: boolean;
  readonly shortfall: number;
  readonly existing: AudioView | null;
  readonly allocations: readonly { readonly lotKey: RowKey; readonly amount: number }[];
  readonly userId: string;
}

/**
 * The present price of a narration, and the lots that would pay. Changes nothing, except that a due allowance is
 * granted.
 * @throws NOT_FOUND, VOICE_CANNOT_READ
 */
export async function quoteNarration(
  app: App,
  viewer: Viewer,
  asked: { storyId: string; voiceId: string },
): Promise<Quote> {
  const { story, voiceId, voice } = await findAsked(app, viewer, asked);
  await checkVoice(app, viewer, { story, voice });
  const { userId } = viewer;
  const existing = await findNarration(app, {
    userId,
    storyId: story.id,
    textHash: story.textHash,
    voiceId,
  });
  const rows = await readQuotableLots(app.points, userId);
  const requiredCredits = priceOfStory(app, story);
  const plan = planDebit(rows.map(lotOfRow), requiredCredits, rows[0]?.now ?? new Date(0));
  return {
    userId,
    requiredCredits,
    balance: plan.available,
    affordable: plan.allocations !== null,
    shortfall: Math.max(0, requiredCredits - plan.available),
    existing: existing !== null && isPaidFor(existing) ? existing : null,
    allocations: (plan.allocations ?? []).map(({ lotId, amount }) => ({
      lotKey: rowKey(userId, lotId),
      amount: -amount,
    })),
  };
}

const isPaidFor = ({ status }: AudioView): boolean => status !== 'FAILED' && status !== 'CANCELLED';
