import type { z } from 'zod';

/** Whether the value of a variable may not be printed. */
export const isSecretVariable = (name: string): boolean =>
  /PASSWORD|SECRET|KEYS?$|KEY_ID$|TOKEN$|DATABASE_URL|SMTP_URL|_BASE_URL|HEADERS$/.test(name);

/** Whether a text may have a user and a password before an `@`, as addresses have them. */
function hasCredentials(value: string): boolean {
  const [before = '', after] = value.split('@');
  return after !== undefined && (before.split('//').at(-1) ?? '').includes(':');
}

/**
 * One sentence about the first variable that is wrong: its value and what is allowed. A value that may be secret is
 * left out.
 * @param environment the variables that were parsed
 */
export function explain(
  error: z.ZodError,
  environment: Readonly<Record<string, string | undefined>>,
): string {
  const [issue] = error.issues;
  const name = String(issue?.path[0]);
  const value = environment[name] ?? '';
  const isSecret = isSecretVariable(name) || hasCredentials(value);
  const found = isSecret ? 'a value' : JSON.stringify(environment[name]);
  const allowed =
    issue?.code === 'invalid_value' ? issue.values.join(', ') : (issue?.message ?? 'another value');
  return `${name} is ${found}, but ${allowed.startsWith('must ') ? allowed : `must be ${allowed}`}.`;
}
