import { setTimeout as sleep } from 'node:timers/promises';
import { codeOf } from '../../domain/errors.js';
import { propertyOf, textOf } from '../../domain/objects.js';
import { onOneLine } from '../../infra/log-text.js';
import { counted } from '../counted.js';

export const LEVELS = ['ok', 'warn', 'fail'] as const;
export type Level = (typeof LEVELS)[number];

/** What a check found. */
export interface Finding {
  readonly level: Level;
  /** What is so, in one sentence. */
  readonly text: string;
  /** What to do. Undefined for `ok`. */
  readonly advice?: string;
}

export interface NamedFinding extends Finding {
  readonly name: string;
}

/** A finding that needs no action. */
export const ok = (text: string): Finding => ({ level: 'ok', text });

/** A finding that needs attention while the service works. */
export const warn = (text: string, advice: string): Finding => ({ level: 'warn', text, advice });

/** A finding that needs action at once. */
export const fail = (text: string, advice: string): Finding => ({ level: 'fail', text, advice });

export interface Check {
  readonly name: string;
  readonly run: () => Promise<Finding | readonly Finding[]>;
}

/**
 * Runs all checks at once, each for at most `limitMs`. A check that throws or hangs becomes a failure of its own, and the
 * others are reported.
 * @returns the findings in the order of the checks
 */
export async function runChecks(
  checks: readonly Check[],
  limitMs: number,
): Promise<readonly NamedFinding[]> {
  const all = checks.map(async ({ name, run }) => {
    const found = [await inTime(run, limitMs)].flat();
    return found.map((finding): NamedFinding => ({ name, ...finding }));
  });
  return (await Promise.all(all)).flat();
}

async function inTime(run: Check['run'], limitMs: number): Promise<Finding | readonly Finding[]> {
  const over = new AbortController();
  const late = sleep(limitMs, null, { signal: over.signal }).then(() =>
    fail(
      `no answer within ${String(limitMs / 1000)} s`,
      'Check whether it hangs, or allow it more time with --timeout.',
    ),
  );
  // The timer is cancelled when the check has ended.
  late.catch(() => undefined);
  try {
    return await Promise.race([run(), late]);
  } catch (error) {
    return fail(messageOf(error), 'Fix what the message names.');
  } finally {
    over.abort();
  }
}

/**
 * The last line of an error’s message, because Prisma puts its reason there. An error without a message is described by
 * its code.
 */
export const messageOf = (error: unknown): string => {
  const message = textOf(propertyOf(error, 'message')) ?? '';
  const [line = ''] = message.trim().split('\n').slice(-1);
  return line === '' ? `an error without a message (${codeOf(error) ?? 'unknown'})` : line;
};

const worstOf = (findings: readonly Finding[]): Level =>
  LEVELS[Math.max(0, ...findings.map(({ level }) => LEVELS.indexOf(level)))] ?? 'ok';

/** 0 when all is well, 1 with warnings only, 2 with a failure. */
export const exitCodeOf = (findings: readonly Finding[]): number =>
  LEVELS.indexOf(worstOf(findings));

const countOf = (findings: readonly Finding[], level: Level, word: string): string => {
  const count = findings.filter((one) => one.level === level).length;
  return counted(count, word, `${word}s`);
};

/** A line for each finding, aligned, with what to do on the line below it. */
export function asLines(findings: readonly NamedFinding[]): string {
  const width = Math.max(...findings.map(({ name }) => name.length));
  const lines = findings.flatMap(({ level, name, text, advice }) => [
    `${level.padEnd(4)}  ${name.padEnd(width)}  ${onOneLine(text)}`,
    ...(advice === undefined ? [] : [`${' '.repeat(width + 8)}${onOneLine(advice)}`]),
  ]);
  const summary = `${countOf(findings, 'fail', 'failure')}, ${countOf(findings, 'warn', 'warning')}.`;
  return `${[...lines, summary].join('\n')}\n`;
}

/** The same for machines. */
export const asJson = (findings: readonly NamedFinding[]): string =>
  `${JSON.stringify({
    level: worstOf(findings),
    at: new Date().toISOString(),
    checks: findings.map(({ name, level, text, advice = null }) => ({ name, level, text, advice })),
  })}\n`;
