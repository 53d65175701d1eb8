import { AsyncLocalStorage } from 'node:async_hooks';

/** What is being done now, with the ids that every line of the log about it has. */
export interface CurrentWork {
  /** The request that is being answered, or that has asked for the job. */
  readonly requestId?: string | undefined;
  /** The user of the request's access token. */
  viewerId?: string;
  readonly jobId?: string;
  readonly queue?: string;
}

/** The current request or job, for code that does not get it as a parameter: the log and the formatter of errors. */
export const currentWork = new AsyncLocalStorage<CurrentWork>();

/** The ids that a line of the log about the current work has. */
export function idsOfWork(): { readonly [Id in keyof CurrentWork]?: string | undefined } {
  const work = currentWork.getStore();
  if (work === undefined) return {};
  const { requestId, viewerId, jobId, queue } = work;
  return { requestId, viewerId, jobId, queue };
}
