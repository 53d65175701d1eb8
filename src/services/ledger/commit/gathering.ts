import DataLoader from 'dataloader';

/** Bounds the memory and the duration of one transaction. */
const BATCH_SIZE_MAX = 256;

export interface Gatherer<Request, Answer> {
  ask(request: Request): Promise<Answer>;
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
