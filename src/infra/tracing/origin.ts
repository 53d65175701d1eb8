import { z } from 'zod';
import { currentWork } from '../logging/current.js';
import { traceparent } from './tracing.js';

/** The request that has asked for a job. It is kept with the job's data, so that the worker's lines and spans name it. */
export interface Origin {
  readonly requestId?: string | undefined;
  /** The request's span, as W3C Trace Context writes it. */
  readonly traceparent?: string | undefined;
}

const keptOrigin = z.object({
  origin: z.object({ requestId: z.string().optional(), traceparent: z.string().optional() }),
});

/** The request that is being answered, or the one that has asked for the job that runs. */
export function currentOrigin(): Origin {
  const requestId = currentWork.getStore()?.requestId;
  const parent = traceparent();
  return {
    ...(requestId === undefined ? {} : { requestId }),
    ...(parent === null ? {} : { traceparent: parent }),
  };
}

/** The data of a job with its origin, which the payload's schema does not read. */
export const withOrigin = <Payload extends object>(
  payload: Payload,
  origin: Origin = currentOrigin(),
): Payload => (Object.keys(origin).length === 0 ? payload : { ...payload, origin });

/** @returns nothing for a job of an earlier release, or one that no request has asked for */
export function originIn(data: unknown): Origin {
  const read = keptOrigin.safeParse(data);
  return read.success ? read.data.origin : {};
}
