import { fork, type ChildProcess } from 'node:child_process';
import pLimit from 'p-limit';
import type { Logger } from '../log.js';
import { SpeechError, stopped } from './provider.js';

/** Processes that answer one question at a time each. */
export interface ProcessPool<Question, Answer> {
  /** @throws SpeechError, passing: the process died, took too long, or the signal was aborted */
  ask(question: Question, signal: AbortSignal): Promise<Answer>;
  close(): void;
}

/**
 * Starts processes as they are needed, keeps them warm, and replaces those that hang or die.
 * @param script a compiled file that answers messages by messages, one for one
 */
export function createProcessPool<Question extends object, Answer>(options: {
  script: string;
  size: number;
  timeoutMs: number;
  heapMegabytes: number;
  log: Logger;
}): ProcessPool<Question, Answer> {
  const turn = pLimit(options.size);
  const idle: ChildProcess[] = [];
  const all = new Set<ChildProcess>();
  let closed = false;

  function start(): ChildProcess {
    const child = fork(options.script, {
      serialization: 'advanced',
      // A session of its own: the terminal's Ctrl-C is for the server. It still ends when we disconnect.
      detached: true,
      stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
      // It gets no secrets and bounded memory, because it processes text of users.
      env: {},
      execArgv: [`--max-old-space-size=${String(options.heapMegabytes)}`],
    });
    all.add(child);
    child.once('exit', (code, signal) => {
      all.delete(child);
      if (idle.includes(child)) idle.splice(idle.indexOf(child), 1);
      if (code !== 0)
        options.log.warn({ event: 'speech-process-ended', code, signal }, 'speech process ended');
    });
    return child;
  }

  return {
    ask: (question, signal) =>
      turn(async () => {
        // A question that was aborted while it waited starts no process, and a closed pool starts none either.
        if (closed || signal.aborted) throw stopped();
        const child = idle.pop() ?? start();
        const answer = await exchange<Answer>(child, question, options.timeoutMs, signal);
        if (isRetiring(answer)) child.disconnect();
        else if (child.connected) idle.push(child);
        return answer;
      }),
    close: () => {
      closed = true;
      for (const child of all) child.kill('SIGKILL');
    },
  };
}

/** The process says so when it has grown too large: it is asked nothing more. */
const isRetiring = (answer: unknown): boolean =>
  typeof answer === 'object' && answer !== null && 'retiring' in answer && answer.retiring === true;

/** One question, one answer. Whatever goes wrong, the process is ended and not asked again. */
function exchange<Answer>(
  child: ChildProcess,
  question: object,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const release = (): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', onAbort);
      child.off('exit', onExit).off('error', onExit).off('message', onMessage);
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
    const onExit = (): void => {
      fail(new SpeechError('The speech process ended.', { permanent: false, kind: 'died' }));
    };
    const timer = setTimeout(() => {
      fail(new SpeechError('The voice took too long.', { permanent: false, kind: 'timeout' }));
    }, timeoutMs);
    child.once('exit', onExit).once('error', onExit).once('message', onMessage);
    signal.addEventListener('abort', onAbort, { once: true });
    if (signal.aborted) onAbort();
    else
      child.send(question, (error) => {
        if (error !== null) onExit();
      });
  });
}
