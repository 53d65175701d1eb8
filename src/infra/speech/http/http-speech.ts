import { mostSecondsOf } from '../../../domain/speakable.js';
import { notAudio, SpeechError, type SpeechErrorKind, type SpokenSentence } from '../provider.js';
import { retryAfterMsOf } from '../rate-gate.js';

export interface HttpRequest {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  /** Sent as JSON by POST; GET without it. */
  readonly body?: object;
  /** For the whole of it, from the connection to the last byte. */
  readonly timeoutMs: number;
  readonly mostBytes: number;
}

export interface HttpAnswer {
  /** Without parameters, in small letters; '' when it does not say. */
  readonly contentType: string;
  /** The parameter `rate` of the content type. */
  readonly sampleRateHz: number | null;
  readonly bytes: Uint8Array;
}

/**
 * Sends one request, once, and reads the whole answer. It follows no redirects, and cuts the connection
 * when the answer takes too long or is too large.
 * @throws SpeechError, in whose message and cause is nothing of what was sent
 */
export async function exchange(request: HttpRequest): Promise<HttpAnswer> {
  const abort = new AbortController();
  const timer = setTimeout(() => {
    abort.abort(failure('timeout', 'The speech provider took too long.'));
  }, request.timeoutMs);
  try {
    const response = await fetch(request.url, {
      method: request.body === undefined ? 'GET' : 'POST',
      headers: {
        'accept-encoding': 'identity',
        ...(request.body === undefined ? {} : { 'content-type': 'application/json' }),
        ...request.headers,
      },
      body: request.body === undefined ? null : JSON.stringify(request.body),
      redirect: 'error',
      signal: abort.signal,
    });
    if (response.status !== 200) throw await refusal(response, abort.signal);
    const bytes = await read(response, request.mostBytes, abort.signal);
    return { contentType: contentTypeOf(response), sampleRateHz: rateOf(response), bytes };
  } catch (error) {
    if (error instanceof SpeechError) throw error;
    throw failure('unreachable', 'The speech provider cannot be reached.', error);
  } finally {
    clearTimeout(timer);
    // What is left of the answer is not waited for.
    abort.abort();
  }
}

const failure = (kind: SpeechErrorKind, message: string, cause?: unknown): SpeechError =>
  new SpeechError(message, { permanent: false, kind, cause });

const contentTypeOf = ({ headers }: Response): string =>
  (headers.get('content-type') ?? '').split(';')[0]?.trim().toLowerCase() ?? '';

/** As in `audio/L16;rate=24000` (RFC 2586). */
function rateOf({ headers }: Response): number | null {
  const [, rate] =
    /;\s*rate="?(\d{1,6})"?\s*(?:;|$)/i.exec(headers.get('content-type') ?? '') ?? [];
  return rate === undefined ? null : Number(rate);
}

const FIRST_BYTES = 65_536;

/** Doubles the buffer each time, so that every byte is copied about once more. */
function roomFor(bytes: Buffer<ArrayBuffer>, lengthBytes: number): Buffer<ArrayBuffer> {
  if (lengthBytes <= bytes.length) return bytes;
  const larger = Buffer.alloc(Math.max(lengthBytes, 2 * bytes.length));
  larger.set(bytes);
  return larger;
}

/**
 * Reads the body to its end.
 * @param signal ends it at once. The signal that `fetch` was given does not always, because it may be garbage-collected
 *   once the headers have come.
 * @throws SpeechError for more than `mostBytes`, as soon as they are there
 */
async function read(
  response: Response,
  mostBytes: number,
  signal: AbortSignal,
): Promise<Uint8Array> {
  const reader = (response.body as ReadableStream<Uint8Array> | null)?.getReader();
  if (reader === undefined) return new Uint8Array();
  const cut = (): void => {
    reader.cancel().catch(() => undefined);
  };
  signal.addEventListener('abort', cut, { once: true });
  // One growing buffer, because a body in pieces of one byte would cost a hundred times its length as a list.
  let bytes = Buffer.alloc(FIRST_BYTES);
  let lengthBytes = 0;
  try {
    for (;;) {
      const { done, value } = await reader.read();
      signal.throwIfAborted();
      if (done) return bytes.subarray(0, lengthBytes);
      if (lengthBytes + value.length > mostBytes) {
        throw failure('too-long', 'The speech is longer than the text can take.');
      }
      bytes = roomFor(bytes, lengthBytes + value.length);
      bytes.set(value, lengthBytes);
      lengthBytes += value.length;
    }
  } finally {
    signal.removeEventListener('abort', cut);
    cut();
  }
}

/**
 * Failures that a retry cannot cure: bad input, an unknown model or voice. A wrong key or an empty account (401, 402, 403)
 * is not among them, because the operator can correct it and no listener should lose a narration for it.
 */
const PERMANENT: Readonly<Record<number, SpeechErrorKind>> = {
  400: 'refused',
  404: 'unknown-voice',
  413: 'refused',
  415: 'refused',
  422: 'refused',
};

async function refusal(response: Response, signal: AbortSignal): Promise<SpeechError> {
  const { status } = response;
  const { codes, isForLength } = await wordsOf(response, signal);
  const cause = new Error(`${String(status)} ${codes}`.trim());
  const permanent = PERMANENT[status];
  return new SpeechError(`The speech provider answered with ${String(status)}.`, {
    permanent: permanent !== undefined,
    kind: permanent ?? (status === 429 ? 'rate-limited' : 'status'),
    status,
    isForLength: status === 413 || isForLength,
    retryAfterMs:
      status === 429 || status === 503 ? retryAfterMsOf(response.headers.get('retry-after')) : null,
    cause,
  });
}

const ERROR_BYTES_MAX = 4096;
const WORDS_MAX = 4;
/** Under these names errors have codes for programs, such as `quota_exceeded`. */
const CODES = /"(?:code|type|status|error)"\s*:\s*"([a-z][\w.-]{2,59})"/giu;

/** How servers say that a text is too long for them. */
const TOO_LONG =
  /too[\s_-]?long|above_max|max(?:imum)?[\s_-](?:input[\s_-])?(?:length|characters)|(?:length|character|token)s? limit|context_length/i;

/**
 * The codes in the body of an error, and whether it is about the length of the text. What it says in sentences is left
 * out, because it may repeat the text or a part of the key.
 */
async function wordsOf(
  response: Response,
  signal: AbortSignal,
): Promise<{ codes: string; isForLength: boolean }> {
  try {
    const body = Buffer.from(await read(response, ERROR_BYTES_MAX, signal)).toString();
    const codes = [...body.matchAll(CODES)].slice(0, WORDS_MAX).map(([, code]) => code);
    return { codes: codes.join(' '), isForLength: TOO_LONG.test(body) };
  } catch {
    return { codes: '', isForLength: false };
  }
}

/** More than any answer of a second takes: 48 kHz, 16 bits, two channels. */
const BYTES_PER_SECOND_MAX = 48_000 * 2 * 2;
const HEADER_BYTES = 65_536;

/** How large the speech for a text may be at most. */
export const mostBytesFor = (text: string): number =>
  HEADER_BYTES + Math.ceil(mostSecondsOf(text) * BYTES_PER_SECOND_MAX);

/** Shorter audio is refused as silence, because no sentence is spoken in less time. */
const SECONDS_MIN = 0.02;

/** @throws SpeechError, not permanent, for an empty answer, or a content type that is not that of speech */
export function checkContentType({ contentType, bytes }: HttpAnswer): void {
  if (bytes.length === 0) throw failure('silent', 'The answer is empty.');
  if (contentType === '' || /^(?:audio\/|(?:application|binary)\/octet-stream$)/.test(contentType))
    return;
  throw notAudio(
    `The answer is ${/^[\w.+-]{1,50}\/[\w.+-]{1,50}$/.test(contentType) ? contentType : 'something else'}, not speech.`,
  );
}

/** @throws SpeechError, not permanent, for speech that is too short, or too long for this text */
export function checkLength(spoken: SpokenSentence, text: string): SpokenSentence {
  const seconds = spoken.pcm.length / spoken.sampleRateHz;
  if (seconds < SECONDS_MIN) throw failure('silent', 'The answer holds no speech.');
  if (seconds > mostSecondsOf(text)) {
    throw failure('too-long', 'The speech is longer than the text can take.');
  }
  return spoken;
}
