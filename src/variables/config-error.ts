/** Bad configuration, in one line that names the variable, what was found and what is allowed. */
export class ConfigError extends Error {}
