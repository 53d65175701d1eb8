import { isIP, isIPv4 } from 'node:net';
import ipaddr from 'ipaddr.js';

/** The networks of an address, by which limits count it. */
export interface Networks {
  /** The network that one customer has alone: an IPv4 address, or an IPv6 network of 64 bits. */
  readonly own: string;
  /** The network that one customer may have, or several may share: an IPv6 network of 48 bits. Null for IPv4. */
  readonly site: string | null;
}

/**
 * The networks of a client's address. An IPv6 address that embeds an IPv4 address counts as the latter, because its
 * holder can choose the other bits. Text that is no address stands for itself.
 */
export function networksOf(address: string): Networks {
  if (isIP(address) === 0) return { own: address, site: null };
  const parsed = ipaddr.parse(address);
  const four = parsed instanceof ipaddr.IPv6 ? embedded(parsed) : parsed;
  if (four !== null) return { own: four.toString(), site: null };
  const bytes = parsed.toByteArray();
  return { own: prefixOf(bytes, 64), site: prefixOf(bytes, 48) };
}

/** A network in CIDR notation, without the zone of a link-local address. */
function prefixOf(bytes: readonly number[], bits: 48 | 64): string {
  const kept = bytes.map((byte, at) => (at < bits / 8 ? byte : 0));
  return `${ipaddr.fromByteArray(kept).toString()}/${String(bits)}`;
}

/** The IPv4 address that is embedded in an IPv6 address. Null when there is none, or when it is not a public one. */
function embedded(six: ipaddr.IPv6): ipaddr.IPv4 | null {
  const bytes = six.toByteArray();
  switch (six.range()) {
    case 'ipv4Mapped':
      return fourOf(bytes.slice(12));
    // Translated: SIIT (RFC 7915), and NAT64 with the well-known prefix 64:ff9b::/96 (RFC 6052).
    case 'rfc6145':
    case 'rfc6052':
      return publicFourOf(bytes.slice(12));
    // 6to4 (RFC 3056): a network of 48 bits for each IPv4 address.
    case '6to4':
      return publicFourOf(bytes.slice(2, 6));
    // Teredo (RFC 4380): the client's address with every bit inverted. All clients of a Teredo server share 64 bits.
    case 'teredo':
      return publicFourOf(bytes.slice(12).map((byte) => byte ^ 0xff));
    default:
      return null;
  }
}

const fourOf = (bytes: number[]): ipaddr.IPv4 => new ipaddr.IPv4(bytes);

function publicFourOf(bytes: number[]): ipaddr.IPv4 | null {
  const four = fourOf(bytes);
  return four.range() === 'unicast' ? four : null;
}

/**
 * An address in its usual form: without port, brackets or zone, and an IPv4-mapped address as IPv4.
 * @returns null for anything else, of any length
 */
export function addressIn(text: string): string | null {
  // Longer than any address with port, brackets and zone.
  if (text.length > 100) return null;
  const [, six, four] = /^(?:\[(.+)\](?::\d+)?|([\d.]+):\d+)$/.exec(text) ?? [];
  // A zone names a network interface of the other machine, and may be any text.
  const address = (six ?? four ?? text).split('%')[0] ?? '';
  if (isIP(address) === 0) return null;
  const parsed = ipaddr.parse(address);
  const isMapped = parsed instanceof ipaddr.IPv6 && parsed.isIPv4MappedAddress();
  return isMapped ? parsed.toIPv4Address().toString() : address;
}

/** Whether an address is of this machine: `::1` or 127.0.0.0/8. It takes the form that `addressIn` returns. */
export const isLoopback = (address: string): boolean =>
  address === '::1' || (isIPv4(address) && address.startsWith('127.'));
