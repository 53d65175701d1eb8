import { request as httpRequest } from 'node:http';
import { connect } from 'node:net';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type * as Networks from '../../src/domain/networks.js';
import type * as Proxies from '../../src/http/proxies.js';
import { send } from '../support/client.js';
import { compiled } from '../support/compiled.js';
import { expectBelow, timeOf } from '../support/measure.js';
import { newListener } from '../support/people.js';
import { startTalebank, type ServerProcess, type Talebank } from '../support/talebank.js';

const TOKEN = 'a-token-of-some-length';

let talebank: Talebank;
/** With a metrics port, one without a token and one with. */
let open: ServerProcess;
let closed: ServerProcess;

beforeAll(async () => {
  talebank = await startTalebank({ ROLE: 'api', TRUST_PROXY: 'loopback' });
  open = await talebank.join({ METRICS_PORT: '0', HOST: '127.0.0.1' });
  closed = await talebank.join({ METRICS_PORT: '0', METRICS_TOKEN: TOKEN });
});
afterAll(() => talebank.close());

const metricsUrlOf = (server: ServerProcess): string =>
  String(server.logs().find(({ msg }) => msg === 'listening')?.['metricsUrl']);

/** The status of a request whose Host is not the one that it goes to. */
const statusFor = (
  at: string,
  path: string,
  headers: Record<string, string> = {},
): Promise<number> =>
  new Promise((resolve, reject) => {
    const { hostname, port } = new URL(at);
    // The port of the metrics closes an idle connection after five seconds.
    const options = { hostname, port, path, headers, agent: false };
    const request = httpRequest(options, (response) => {
      response.resume();
      resolve(response.statusCode ?? 0);
    });
    request.on('error', reject);
    request.end();
  });

test('METRICS_TOKEN is asked for at METRICS_PORT too, and health is not', async () => {
  const at = metricsUrlOf(closed);
  const bearer = { authorization: `Bearer ${TOKEN}` };
  expect(await statusFor(at, '/metrics')).toBe(401);
  expect(await statusFor(at, '/metrics', { authorization: 'Bearer wrong' })).toBe(401);
  expect(await statusFor(at, '/metrics', bearer)).toBe(200);
  // The token proves what the Host could only suggest.
  expect(await statusFor(at, '/metrics', { ...bearer, host: 'worker.tales.example.com' })).toBe(
    200,
  );
  for (const path of ['/healthz', '/readyz']) expect(await statusFor(at, path)).toBe(200);
});

test('without a token, a name that a page of another site could have is refused', async () => {
  const at = metricsUrlOf(open);
  for (const host of ['127.0.0.1:9464', '[::1]:9464', '10.1.2.3', 'localhost:9464', 'worker:9464'])
    expect([host, await statusFor(at, '/metrics', { host })]).toEqual([host, 200]);
  for (const host of ['evil.example', 'evil.example:9464', 'x@127.0.0.1', '127.0.0.1.evil.example'])
    expect([host, await statusFor(at, '/metrics', { host })]).toEqual([host, 421]);
  expect(await statusFor(at, '/healthz', { host: 'evil.example' })).toBe(200);
});

test.each(['/metrics', '/dev/mail'])('%s is for this machine alone', async (path) => {
  const { url } = talebank;
  expect(await statusFor(url, path)).toBe(200);
  for (const host of ['evil.example', 'x@127.0.0.1', '127.0.0.1.evil.example', 'worker'])
    expect([host, await statusFor(url, path, { host })]).toEqual([host, 404]);
  for (const name of ['x-forwarded-for', 'X-Forwarded-Proto', 'x-real-ip', 'via', 'forwarded'])
    expect([name, await statusFor(url, path, { [name]: 'x' })]).toEqual([name, 404]);
});

/** The status of a GET with these lines of headers. */
const statusOfLines = (at: string, path: string, lines: readonly string[]): Promise<number> =>
  new Promise((resolve, reject) => {
    const { hostname, port } = new URL(at);
    const socket = connect(Number(port), hostname);
    const head = [`GET ${path} HTTP/1.1`, 'host: 127.0.0.1', 'connection: close', ...lines];
    socket.write(`${head.join('\r\n')}\r\n\r\n`);
    let answer = '';
    socket.on('data', (chunk: Buffer) => (answer += chunk.toString()));
    socket.on('end', () => {
      resolve(Number(answer.split(' ')[1]));
    });
    socket.on('error', reject);
  });

test('a proxy’s header is seen, however many headers stand before it', async () => {
  // Node drops what is beyond its own limit on headers, and the proxy's header is the last one.
  for (const [count, status] of [
    [100, 404],
    [1_100, 431],
    [2_100, 431],
  ] as const) {
    const lines = [...Array<string>(count).fill('a:b'), 'x-forwarded-for: 203.0.113.9'];
    expect(await statusOfLines(talebank.url, '/metrics', lines)).toBe(status);
  }
});

test('a long or broken X-Forwarded-For takes no time and becomes no key', async () => {
  const { token } = await newListener(talebank.url);
  const entries = ['127.0.0.1', 'nonsense', '203.0.113.1:99999', 'fe80::1%eth0', '::ffff:10.0.0.1'];
  for (const entry of entries) {
    const header = Array<string>(700).fill(entry).join(',');
    const headers = { 'x-forwarded-for': header.slice(0, 12_000) };
    await expectBelow(1_000, () =>
      timeOf(async () => {
        const answer = await send(talebank.url, '{ me { id } }', {}, { token, headers });
        expect(answer.errors).toEqual([]);
      }),
    );
  }
});

test('addresses have one form, and garbage has none', async () => {
  const { addressIn } = await compiled<typeof Networks>('domain/networks.js');
  expect(addressIn('203.0.113.7:5000')).toBe('203.0.113.7');
  expect(addressIn('[2001:db8::7]:5000')).toBe('2001:db8::7');
  expect(addressIn('::ffff:203.0.113.7')).toBe('203.0.113.7');
  expect(addressIn(`fe80::1%${'x'.repeat(40)}`)).toBe('fe80::1');
  for (const nonsense of ['', 'unknown', '203.0.113.999', `fe80::1%${'x'.repeat(5_000)}`, '_x:1'])
    expect(addressIn(nonsense)).toBeNull();
});

test('only listed proxies are trusted, and never more than ten in a row', async () => {
  const { createTrust, proxyWarnings } = await compiled<typeof Proxies>('http/proxies.js');
  const trusts = createTrust(['loopback', '10.0.0.0/8', '2001:db8::/32']);
  for (const address of ['127.0.0.1', '::1', '10.9.9.9', '::ffff:10.9.9.9', '2001:db8::1'])
    expect([address, trusts(address, 0)]).toEqual([address, true]);
  for (const address of ['11.0.0.1', '::2', 'garbage', '', '2001:db9::1'])
    expect([address, trusts(address, 0)]).toEqual([address, false]);
  expect(trusts('10.9.9.9', 10)).toBe(false);
  const warnings = (host: string, trustProxy: false | number | readonly string[]): number =>
    proxyWarnings({ host, http: { trustProxy } } as Parameters<typeof proxyWarnings>[0]).length;
  expect(warnings('0.0.0.0', 1)).toBe(1);
  expect(warnings('127.0.0.1', 1)).toBe(0);
  expect(warnings('0.0.0.0', ['0.0.0.0/1', '128.0.0.0/1'])).toBe(2);
  expect(warnings('0.0.0.0', ['uniquelocal', '10.0.0.0/8', 'fc00::/7'])).toBe(0);
});
