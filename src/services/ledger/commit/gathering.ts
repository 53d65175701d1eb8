import DataLoader from 'dataloader';
import pLimit from 'p-limit';

/** Bounds the memory and the duration of one transaction. */
const BATCH_SIZE_MAX = 256;

export interface Gatherer<Request, Answer> {
  readonly ask: (request: Request) => Promise<Answer>;
  /** Whether no request waits for an answer. */
  isIdle(): boolean;
}

/** Passes requests on in batches. Requests that arrive while a batch is being answered make the next one. */
export function gatherWhileBusy<Request, Answer>(
  answerAll: (requests: readonly Request[]) => Promise<readonly Answer[]>,
): Gatherer<Request, Answer> {
  let asking = 0;
  let last: Promise<unknown> = Promise.resolve();
  let running: Promise<unknown> = last;
  // Answers are wrapped, because the loader would throw an answer that is an Error.
  const door = new DataLoader<Request, { answer: Answer }>(
    async (requests) => {
      const batch = answerAll(requests);
      running = batch;
      return (await batch).map((answered) => ({ answer: answered }));
    },
    {
      cache: false,
      maxBatchSize: BATCH_SIZE_MAX,
      batchScheduleFn: (dispatch) => {
        last = last.then(() => {
          dispatch();
          // A batch that is rejected must not stop the next ones.
          return running.catch(() => undefined);
        });
      },
    },
  );
  return {
    ask: async (request) => {
      asking += 1;
      try {
        return (await door.load(request)).answer;
      } finally {
        asking -= 1;
      }
    },
    isIdle: () => asking === 0,
  };
}

/** Passes requests on in batches, as `gatherWhileBusy` does, in a queue for each key. */
export function gatherByKey<Request, Answer>(
  keyOf: (request: Request) => string,
  answerAll: (requests: readonly Request[]) => Promise<readonly Answer[]>,
  options: { readonly atOnce: number } = { atOnce: Infinity },
): (request: Request) => Promise<Answer> {
  const limit = pLimit(options.atOnce);
  const queues = new Map<string, Gatherer<Request, Answer>>();
  return async (request) => {
    const key = keyOf(request);
    const queue =
      queues.get(key) ?? gatherWhileBusy((requests) => limit(() => answerAll(requests)));
    queues.set(key, queue);
    try {
      return await queue.ask(request);
    } finally {
      // A queue exists only while a request waits in it.
      if (queue.isIdle()) queues.delete(key);
    }
  };
}
