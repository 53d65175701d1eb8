import { BlockList, isIP } from 'node:net';
import type { Config } from '../config.js';
import { addressIn, isLoopback } from '../domain/networks.js';

/** As proxies' own documentation names them. */
const NAMED: Readonly<Record<string, readonly string[]>> = {
  loopback: ['127.0.0.0/8', '::1/128'],
  linklocal: ['169.254.0.0/16', 'fe80::/10'],
  uniquelocal: ['10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16', 'fc00::/7'],
};
/** No request comes through more proxies, while its header may name a thousand addresses. */
const HOPS_MAX = 10;
/** A network with fewer bits has far more addresses than any operator has proxies. */
const NARROW_BITS = { ipv4: 8, ipv6: 7 };

/**
 * Decides whose `X-Forwarded-For` is trusted.
 * @returns takes an address and how many proxies are between it and this server
 */
export function createTrust(
  trustProxy: Config['http']['trustProxy'],
): (address: string | undefined, hop: number) => boolean {
  if (trustProxy === false) return () => false;
  if (typeof trustProxy === 'number') return (_address, hop) => hop < trustProxy;
  const trusted = new BlockList();
  for (const { address, bits, family } of trustProxy.flatMap(networksIn))
    trusted.addSubnet(address, bits, family);
  return (address, hop) => {
    const known = hop < HOPS_MAX ? addressIn(address ?? '') : null;
    return known !== null && trusted.check(known, isIP(known) === 6 ? 'ipv6' : 'ipv4');
  };
}

/** What an operator should know about a TRUST_PROXY that trusts more clients than it seems to. */
export function proxyWarnings({ host, http: { trustProxy } }: Config): string[] {
  if (trustProxy === false) return [];
  if (typeof trustProxy === 'number') {
    const reachable = !(isLoopback(host) || host === 'localhost');
    return reachable && trustProxy > 0
      ? [
          `TRUST_PROXY is ${String(trustProxy)} and HOST is ${host}: X-Forwarded-For is accepted from every client that connects directly. Let only the proxy reach the port, or list the proxy's addresses.`,
        ]
      : [];
  }
  return trustProxy
    .flatMap((entry) => (entry in NAMED ? [] : networksIn(entry)))
    .filter(({ bits, family }) => bits < NARROW_BITS[family])
    .map(
      ({ address, bits }) =>
        `TRUST_PROXY has ${address}/${String(bits)}: clients in this network choose the address that they are counted by. List only the proxies.`,
    );
}

interface Network {
  readonly address: string;
  readonly bits: number;
  readonly family: 'ipv4' | 'ipv6';
}

function networksIn(entry: string): Network[] {
  const named = NAMED[entry];
  if (named !== undefined) return named.flatMap(networksIn);
  const [address = '', bits] = entry.split('/');
  const family = isIP(address) === 6 ? 'ipv6' : 'ipv4';
  return [{ address, bits: Number(bits ?? (family === 'ipv6' ? 128 : 32)), family }];
}
