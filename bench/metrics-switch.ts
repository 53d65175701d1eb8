/**
 * Loaded into a server before it starts: switches its metrics and its log off and on again while it runs, so that one
 * process is measured with and without. It needs the program that is not bundled, because a bundle has a prom-client
 * of its own.
 */
import { createRequire } from 'node:module';
import type * as Pino from 'pino';
import { Counter, Gauge, Histogram } from 'prom-client';

/** Each is answered with the microseconds of processor time that the server has used so far, as is `processor time`. */
export type Switch = 'on' | 'off';

let isOn = true;

type Method = (this: object, ...given: unknown[]) => unknown;

/** Puts a method in the place of another one that only does something while the switch is on. */
function switchable(of: object, name: string): void {
  const honest = Reflect.get(of, name) as Method;
  Reflect.set(of, name, function (this: object, ...given: unknown[]) {
    return isOn ? honest.apply(this, given) : undefined;
  });
}

/** A metric keeps these as methods of its own when it is made, which is later. */
for (const [{ prototype }, ...names] of [
  [Counter, 'incWithoutExemplar'],
  [Gauge, 'inc', 'dec', 'set'],
  [Histogram, 'observeWithoutExemplar'],
] as const)
  for (const name of names) switchable(prototype, name);

/** What `labels` returns has methods that are not those of the metric. */
for (const { prototype } of [Counter, Gauge, Histogram]) {
  const honest = Reflect.get(prototype, 'labels') as (...given: unknown[]) => object;
  Reflect.set(prototype, 'labels', function (this: object, ...given: unknown[]) {
    const child = honest.apply(this, given);
    for (const name of ['inc', 'dec', 'set', 'observe']) if (name in child) switchable(child, name);
    return child;
  });
}

/** Changed before the server imports it. */
const exported = createRequire(import.meta.url)('pino') as { pino: typeof Pino.pino };
const { pino } = exported;
const noted = (...given: Parameters<typeof pino>): object => {
  const logger = pino(...given);
  // The level does not change, because pino makes new functions at each change, so a turn would begin with cold code.
  for (const name of ['error', 'warn', 'info']) switchable(logger, name);
  return logger;
};
Object.assign(exported, { pino: Object.assign(noted, pino) });

process.on('message', (message: string) => {
  if (message === 'on') isOn = true;
  else if (message === 'off') isOn = false;
  else if (message !== 'processor time') return;
  const { user, system } = process.cpuUsage();
  process.send?.(user + system);
});
process.channel?.unref();
