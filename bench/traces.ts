import { createServer } from 'node:http';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import autocannon from 'autocannon';
import { ask, newListener, startProduct, type Product } from './product.ts';
import { print } from './support.ts';

const TURNS = 5;
const TURN_SECONDS = 3;
const WARM_UP_SECONDS = 4;
const IN_FLIGHT = 64;

const LIBRARY = '{ stories(first: 20) { nodes { title requiredCredits } } }';
const WALLET =
  '{ me { credits { balance } creditHistory(first: 20) { nodes { seq type amount } } } }';

/** The same server in variants that differ in one thing each. */
const VARIANTS = {
  off: {},
  '10 % recorded': {
    OTEL_TRACES_SAMPLER: 'parentbased_traceidratio',
    OTEL_TRACES_SAMPLER_ARG: '0.1',
  },
  'all recorded': { OTEL_TRACES_SAMPLER: 'parentbased_always_on' },
} as const;

/** A receiver that takes everything, in this process. */
async function startReceiver(): Promise<{ url: string; spans(): number; close(): void }> {
  let spans = 0;
  const server = createServer((request, response) => {
    const parts: Buffer[] = [];
    request.on('data', (part: Buffer) => parts.push(part));
    request.on('end', () => {
      spans += Buffer.concat(parts).toString().split('"spanId"').length - 1;
      response.setHeader('content-type', 'application/json').end('{}');
    });
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const url = `http://127.0.0.1:${String((server.address() as AddressInfo).port)}`;
  return {
    url,
    spans: () => spans,
    close: () => {
      server.closeAllConnections();
      server.close();
    },
  };
}

/** What a turn has measured. */
interface Turn {
  readonly perSecond: number;
  /** Processor time of the server for one request, which other programs on the machine do not change much. */
  readonly processorUs: number;
}

const TICK_US = 10_000;

/** The processor time that a process has used, in microseconds, as Linux counts it. */
async function processorUsOf(pid: number): Promise<number> {
  const stat = await readFile(`/proc/${String(pid)}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) * TICK_US;
}

async function rateOf(
  { url, pid }: Product,
  query: string,
  token: string,
  seconds: number,
): Promise<Turn> {
  const usedBefore = await processorUsOf(pid);
  const result = await autocannon({
    url: `${url}/graphql`,
    method: 'POST',
    connections: IN_FLIGHT,
    duration: seconds,
    headers: { 'content-type': 'application/json', authorization: `Bearer ${token}` },
    body: JSON.stringify({ query }),
  });
  if (result.non2xx > 0 || result.errors > 0)
    throw new Error(`${String(result.non2xx)} refusals of ${query}`);
  const usedUs = (await processorUsOf(pid)) - usedBefore;
  return {
    perSecond: result.requests.average,
    processorUs: usedUs / Math.max(1, result.requests.total),
  };
}

const median = (rates: readonly number[]): number =>
  [...rates].sort((a, b) => a - b)[Math.floor(rates.length / 2)] ?? 0;

/** What traces cost: the variants take turns, so that a change of the machine's speed meets them all. */
export async function benchTraces(): Promise<void> {
  print(
    `\nTraces: GraphQL requests a second, ${String(IN_FLIGHT)} in flight, ${String(TURNS)} turns each`,
  );
  const receiver = await startReceiver();
  const servers: [name: string, product: Product, token: string][] = [];
  try {
    for (const [name, variables] of Object.entries(VARIANTS)) {
      const traced = 'OTEL_TRACES_SAMPLER' in variables;
      const product = await startProduct({
        ...variables,
        ...(traced ? { OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url } : {}),
      });
      servers.push([name, product, (await newListener(product.url)).token]);
    }
    for (const [what, query] of [
      ['stories(first: 20)', LIBRARY],
      ['me { credits creditHistory(first: 20) }', WALLET],
    ] as const)
      await compare(what, query, servers);
    print(`  spans received                              ${String(receiver.spans())}`);
  } finally {
    for (const [, product] of servers) await product.stop();
    receiver.close();
  }
}

async function compare(
  what: string,
  query: string,
  servers: readonly [name: string, product: Product, token: string][],
): Promise<void> {
  const turns = new Map(servers.map(([name]) => [name, [] as Turn[]]));
  for (const [, product, token] of servers) {
    await ask(product.url, query, {}, token);
    await rateOf(product, query, token, WARM_UP_SECONDS);
  }
  for (let turn = 0; turn < TURNS; turn += 1)
    for (const [name, product, token] of turn % 2 === 0 ? servers : [...servers].reverse())
      turns.get(name)?.push(await rateOf(product, query, token, TURN_SECONDS));
  const rateIn = (name: string): number =>
    median((turns.get(name) ?? []).map(({ perSecond }) => perSecond));
  const costIn = (name: string): number =>
    median((turns.get(name) ?? []).map(({ processorUs }) => processorUs));
  print(`  ${what}`);
  for (const name of turns.keys()) {
    const rate = `${rateIn(name).toFixed(0)}/s  × ${(rateIn(name) / rateIn('off')).toFixed(2)}`;
    const cost = `${costIn(name).toFixed(0)} µs  × ${(costIn(name) / costIn('off')).toFixed(3)}`;
    print(`    ${name.padEnd(40)}  ${rate}   processor time of a request ${cost}`);
  }
}
