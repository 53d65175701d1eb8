/**
 * A module of the compiled server: processes and threads start files that exist only there.
 * @param path inside of dist, for example `infra/migrations.js`
 */
export const compiled = <Module>(path: string): Promise<Module> =>
  import(new URL(`../../dist/${path}`, import.meta.url).href) as Promise<Module>;
