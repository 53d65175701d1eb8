/** Bad configuration, in one line that names the variable, what was found and what is allowed. */
export class ConfigError extends Error {}

/** @throws ConfigError that names the one that is missing */
export function bothOrNeither(pair: Readonly<Record<string, string | undefined>>): void {
  const names = Object.keys(pair);
  const missing = names.filter((name) => pair[name] === undefined);
  if (missing.length !== 1) return;
  const present = names.filter((name) => pair[name] !== undefined);
  throw new ConfigError(
    `${missing.join()} is not set, but ${present.join()} is: set both or neither.`,
  );
}
