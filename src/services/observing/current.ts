/** What the doors know of the current work; the worker's side is in infra. */
export { currentWork, type CurrentWork } from '../../infra/logging/current.js';
export {
  beginBelow,
  beginRequest,
  isTracing,
  recordingSpan,
  replaceSpan,
  withSpan,
} from '../../infra/tracing/tracing.js';
export type { Span } from '../../infra/tracing/span.js';
