import { fork, type ChildProcess } from 'node:child_process';
import pLimit from 'p-limit';
import type { Logger } from '../log.js';
import { SpeechError, stopped } from './provider.js';

/** Processes that answer one question at a time each. */
export interface ProcessPool<Question, Answer> {
  /**
   * @param use what the process is used for. A process that has answered is only asked again for the same use.
   * @throws SpeechError, not permanent: the process ended, took too long, or the signal was aborted
   */
  ask(question: Question, signal: AbortSignal, use?: string): Promise<Answer>;
  close(): void;
}

interface PoolOptions {
  /** A compiled file that answers each message with one message. */
  readonly script: string;
  /** How many answer at the same time. */
  readonly size: number;
  /** The most processes, including idle ones. `size` by default. */
  readonly kept?: number;
  readonly timeoutMs: number;
  readonly heapMegabytes: number;
  readonly log: Logger;
  /** Whether what they write to stderr is shown. It may contain the text. */
  readonly showsErrors?: boolean;
  /** The error for the exit code of a process that ended during a request. Null when the code has no meaning. */
  readonly whyEnded?: (code: number | null) => SpeechError | null;
}

interface Idle {
  readonly child: ChildProcess;
  readonly use: string;
}

/** Starts processes as they are needed, keeps them warm, and replaces those that hang or die. */
export function createProcessPool<Question extends object, Answer>(
  options: PoolOptions,
): ProcessPool<Question, Answer> {
  const { kept = options.size } = options;
  const turn = pLimit(options.size);
  /** In the order of their last request. */
  const idle: Idle[] = [];
  const all = new Set<ChildProcess>();
  let closed = false;

  function start(): ChildProcess {
    const child = forkProcess(options);
    all.add(child);
    child.once('exit', (code, signal) => {
      all.delete(child);
      const at = idle.findIndex((waiting) => waiting.child === child);
      if (at !== -1) idle.splice(at, 1);
      if (code !== 0)
        options.log.warn({ event: 'speech-process-ended', code, signal }, 'speech process ended');
    });
    return child;
  }

  /**
   * A warm process for this use, or a new one. If there would be too many, the one that has been idle longest is ended.
   */
  function take(use: string): ChildProcess {
    const at = idle.findLastIndex((waiting) => waiting.use === use);
    const [warm] = at === -1 ? [] : idle.splice(at, 1);
    if (warm !== undefined) return warm.child;
    while (idle.length + turn.activeCount > kept) {
      const longest = idle.shift();
      if (longest === undefined) break;
      longest.child.disconnect();
    }
    return start();
  }

  return {
    ask: (question, signal, use = '') =>
      turn(async () => {
        // A question that was aborted while it waited starts no process, and a closed pool starts none either.
        if (closed || signal.aborted) throw stopped();
        const child = take(use);
        const answer = await exchange<Answer>(child, question, options, signal);
        if (isRetiring(answer)) child.disconnect();
        else if (child.connected) idle.push({ child, use });
        return answer;
      }),
    close: () => {
      closed = true;
      for (const child of all) child.kill('SIGKILL');
    },
  };
}

const forkProcess = ({ script, showsErrors, heapMegabytes }: PoolOptions): ChildProcess =>
  fork(script, {
    serialization: 'advanced',
    // A session of its own: the terminal's Ctrl-C is for the server. It still ends when we disconnect.
    detached: true,
    stdio: ['ignore', 'ignore', showsErrors === true ? 'inherit' : 'ignore', 'ipc'],
    // It gets no secrets and bounded memory, because it processes text of users.
    env: {},
    execArgv: [`--max-old-space-size=${String(heapMegabytes)}`],
  });

/** The process says so when it has grown too large: it is asked nothing more. */
const isRetiring = (answer: unknown): boolean =>
  typeof answer === 'object' && answer !== null && 'retiring' in answer && answer.retiring === true;

/** One question, one answer. Whatever goes wrong, the process is ended and not asked again. */
function exchange<Answer>(
  child: ChildProcess,
  question: object,
  { timeoutMs, whyEnded = () => null }: Pick<PoolOptions, 'timeoutMs' | 'whyEnded'>,
  signal: AbortSignal,
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const release = (): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', onAbort);
      child.off('exit', onExit).off('error', onError).off('message', onMessage);
    };
    const fail = (error: SpeechError): void => {
      release();
      child.kill('SIGKILL');
      reject(error);
    };
    const onMessage = (answer: unknown): void => {
      release();
      resolve(answer as Answer);
    };
    const onAbort = (): void => {
      fail(stopped());
    };
    const onExit = (code: number | null): void => {
      const died = { permanent: false, kind: 'died' } as const;
      fail(whyEnded(code) ?? new SpeechError('The speech process ended.', died));
    };
    const onError = (): void => {
      onExit(null);
    };
    const timer = setTimeout(() => {
      fail(new SpeechError('The voice took too long.', { permanent: false, kind: 'timeout' }));
    }, timeoutMs);
    child.once('exit', onExit).once('error', onError).once('message', onMessage);
    signal.addEventListener('abort', onAbort, { once: true });
    if (signal.aborted) onAbort();
    else
      child.send(question, (error) => {
        if (error !== null) onExit(child.exitCode);
      });
  });
}
