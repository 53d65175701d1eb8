import { currentWork, type CurrentWork } from '../logging/current.js';
import { originIn } from './origin.js';
import { tracedJob } from './tracing.js';

/** Runs a job with its ids, and those of the request that has asked for it, in every line of the log about it. */
export function runJob(
  queue: string,
  { id: jobId, retryCount, data }: { id: string; retryCount: number; data: unknown },
  work: () => Promise<void>,
): Promise<void> {
  const { requestId, traceparent } = originIn(data);
  const current: CurrentWork = {
    ...(requestId === undefined ? {} : { requestId }),
    jobId,
    queue,
  };
  return currentWork.run(current, () => tracedJob({ queue, jobId, retryCount, traceparent }, work));
}
