import { until } from './faults.js';

/** All samples as of now: `name{label="value"}` without the prefix, with their values. */
export async function scrape(url: string, token?: string): Promise<Map<string, number>> {
  let samples = await scrapeOnce(url, token);
  // On a slow machine, figures may come too late for an answer.
  await until('the metrics are as of now', async () => {
    if (samples.get('database_answers') === 1) return true;
    samples = await scrapeOnce(url, token);
    return false;
  });
  return samples;
}

/** All samples of one scrape, whether or not the database has answered. */
export async function scrapeOnce(url: string, token?: string): Promise<Map<string, number>> {
  const headers = token === undefined ? {} : { authorization: `Bearer ${token}` };
  // A worker closes connections that were idle for five seconds, maybe at the moment when they are used again.
  const answer = await fetch(`${url}/metrics`, { headers: { ...headers, connection: 'close' } });
  if (answer.status !== 200) throw new Error(`/metrics answered ${String(answer.status)}.`);
  const samples = [...(await answer.text()).matchAll(/^talebank_(.+) (\S+)$/gm)];
  return new Map(samples.map(([, name = '', value]) => [name, Number(value)]));
}

/** The value of a sample, 0 when there is none. */
export const valueOf = (samples: ReadonlyMap<string, number>, sample: string): number =>
  samples.get(sample) ?? 0;
