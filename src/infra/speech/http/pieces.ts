import { endOfPart } from '../../../domain/segmentation/cut.js';
import { notAudio, SpeechError, type SpeechRequest, type SpokenSentence } from '../provider.js';

/** A shorter text is not cut, because a server that refuses it refuses it for another reason. */
const PIECE_MIN = 40;

/**
 * Speaks a text in pieces of at most a number of characters. If a piece is refused for its length, it is cut in two, and
 * the longest piece is remembered for the texts that follow, so that the server does not refuse each of them.
 * @param longest the first limit
 * @param speak speaks one piece
 */
export function createPieces(
  longest: number,
  speak: (request: SpeechRequest) => Promise<SpokenSentence>,
): (request: SpeechRequest) => Promise<SpokenSentence> {
  let limit = longest;
  return async (request) => {
    const spoken: SpokenSentence[] = [];
    for (let rest = request.text; rest !== '';) {
      const piece = firstPiece(rest, request.language, limit);
      try {
        spoken.push(await speak({ ...request, text: piece }));
        rest = rest.slice(piece.length).trimStart();
      } catch (error) {
        if (!isForLength(error) || piece.length < 2 * PIECE_MIN) throw error;
        limit = Math.min(limit, Math.floor(piece.length / 2));
      }
    }
    return joined(spoken);
  };
}

const firstPiece = (text: string, tag: string, longest: number): string =>
  text.slice(0, endOfPart(text, { from: 0, to: text.length, tag, longest })).trimEnd();

const isForLength = (error: unknown): boolean =>
  error instanceof SpeechError && error.permanent && error.isForLength;

/** The pieces of one text. @throws SpeechError when they do not fit together */
function joined(pieces: readonly SpokenSentence[]): SpokenSentence {
  const [first] = pieces;
  if (first === undefined) throw notAudio('There is nothing to join.');
  if (pieces.length === 1) return first;
  if (pieces.some(({ sampleRateHz }) => sampleRateHz !== first.sampleRateHz))
    throw notAudio('The pieces of a sentence have different sample rates.');
  const pcm = new Int16Array(pieces.reduce((sum, piece) => sum + piece.pcm.length, 0));
  let at = 0;
  for (const piece of pieces) {
    pcm.set(piece.pcm, at);
    at += piece.pcm.length;
  }
  return { pcm, sampleRateHz: first.sampleRateHz };
}
