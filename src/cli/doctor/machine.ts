import { readFile, stat, statfs } from 'node:fs/promises';
import { z } from 'zod';
import { codeOf } from '../../domain/errors.js';
import { propertyOf } from '../../domain/objects.js';
import type { Config, Environment } from '../../config.js';
import { holderOf } from '../../infra/postgres/hold.js';
import { databaseFolderOf, root } from '../../installation.js';
import { variables } from '../../variables.js';
import { fail, ok, warn, type Check, type Finding } from './findings.js';

/** Which variables are set, by name. Their values are not printed. */
export const configurationCheck = (environment: Environment): Check => ({
  name: 'configuration',
  run: () => {
    const names = Object.keys(variables.shape).filter((name) => (environment[name] ?? '') !== '');
    return Promise.resolve(
      ok(names.length === 0 ? 'no variable is set: all have defaults' : `set: ${names.join(', ')}`),
    );
  },
});

const RELEASE = /^v?(\d+)\.(\d+)/;

/** `>=20.19 <23`, as package.json has it. */
function isSupported(range: string): boolean {
  const [major = 0, minor = 0] = (RELEASE.exec(process.version) ?? []).slice(1).map(Number);
  const [least = '', most = ''] = range.split(' ');
  const [leastMajor = 0, leastMinor = 0] = least.replace('>=', '').split('.').map(Number);
  const isNew = major > leastMajor || (major === leastMajor && minor >= leastMinor);
  return isNew && major < Number(most.replace('<', ''));
}

const manifest = z.object({
  name: z.string(),
  version: z.string(),
  engines: z.object({ node: z.string() }),
});

export const versionsCheck: Check = {
  name: 'versions',
  run: async () => {
    const text = await readFile(root('package.json'), 'utf8');
    const { name, version, engines } = manifest.parse(JSON.parse(text));
    const found = `${name} ${version} on Node ${process.version}`;
    return isSupported(engines.node)
      ? ok(found)
      : fail(found, `Use a Node of the versions ${engines.node}.`);
  },
};

const MEGABYTE = 1024 * 1024;
const inWords = (bytes: number): string =>
  bytes >= 10 * 1024 * MEGABYTE
    ? `${(bytes / 1024 / MEGABYTE).toFixed(0)} GB`
    : `${(bytes / MEGABYTE).toFixed(0)} MB`;

/** @param minMb below this it is a failure, and below five times as much a warning */
export const diskCheck = ({ dataDir }: Config, minMb: number): Check => ({
  name: 'disk',
  run: async () => {
    if (!(await isThere(dataDir)))
      return warn(
        `DATA_DIR is ${dataDir}, but there is no such folder`,
        'Start Talebank once, or correct DATA_DIR.',
      );
    const { bavail, blocks, bsize } = await statfs(dataDir);
    const free = bavail * bsize;
    const text = `${inWords(free)} of ${inWords(blocks * bsize)} are free in DATA_DIR (${dataDir})`;
    const advice = 'Make room, or move DATA_DIR to a larger disk: docs/operations.md, What grows.';
    if (free < minMb * MEGABYTE) return fail(text, advice);
    return free < 5 * minMb * MEGABYTE ? warn(text, advice) : ok(text);
  },
});

/** Whether a path can be examined. False for any error, also for a path that this user may not see. */
export const isThere = (path: string): Promise<boolean> =>
  stat(path).then(
    () => true,
    () => false,
  );

/** Whether a server runs: by the lock of the embedded database, and by the address where the API would listen. */
export const serverCheck = (config: Config, limitMs: number): Check => ({
  name: 'server',
  run: async () => {
    const holder =
      config.databaseUrl === null ? await holderOf(databaseFolderOf(config.dataDir)) : null;
    const held = holder === null ? '' : `; it holds DATA_DIR (${holder})`;
    const url = readinessUrlOf(config);
    if (url === null)
      return warn(
        `whether this worker runs is not known${held}`,
        'Set METRICS_PORT, where a worker answers /readyz.',
      );
    try {
      const response = await fetch(url, { signal: AbortSignal.timeout(limitMs) });
      return ofAnswer(url, response.status, await response.text(), held);
    } catch (error) {
      if (codeOf(propertyOf(error, 'cause')) === 'ECONNREFUSED')
        return holder === null
          ? warn(`no server answers at ${url}`, 'Start it with `npm start` if it is to run.')
          : warn(
              `no server answers at ${url}, but DATA_DIR is in use (${holder})`,
              'Give this command the same HOST, PORT and METRICS_PORT as the server.',
            );
      return fail(`the server at ${url} does not answer: it may hang${held}`, 'Look at its log.');
    }
  },
});

function readinessUrlOf({ host, port, role, metrics }: Config): string | null {
  const at = metrics.port ?? (role === 'worker' ? null : port);
  if (at === null || at === 0) return null;
  const name = host === '0.0.0.0' ? '127.0.0.1' : host === '::' ? '[::1]' : host;
  return `http://${name.includes(':') && !name.startsWith('[') ? `[${name}]` : name}:${String(at)}/readyz`;
}

function ofAnswer(url: string, status: number, body: string, held: string): Finding {
  if (status === 200) return ok(`a server answers at ${url} and is ready${held}`);
  if (status !== 503)
    return warn(
      `another program answers at ${url} with ${String(status)}${held}`,
      'Give this command the same HOST, PORT and METRICS_PORT as the server.',
    );
  const parts = [...body.slice(0, 1000).matchAll(/"(\w{1,20})":\s?false/g)].map(
    ([, part = '']) => part,
  );
  return fail(
    `a server answers at ${url}, but is not ready: ${parts.join(', ')}${held}`,
    'Look at the other lines here, and for `not ready` in its log.',
  );
}
