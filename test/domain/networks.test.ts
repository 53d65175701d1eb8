import { isIPv6 } from 'node:net';
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { inboxOf } from '../../src/domain/inboxes.js';
import { networksOf } from '../../src/domain/networks.js';

describe('an address belongs to', () => {
  test.each([
    ['198.51.100.7', '198.51.100.7', null],
    ['::ffff:198.51.100.7', '198.51.100.7', null],
    ['::FFFF:c633:6407', '198.51.100.7', null],
    ['::ffff:10.0.0.1', '10.0.0.1', null],
    ['64:ff9b::8.8.4.4', '8.8.4.4', null],
    ['64:ff9b::808:404', '8.8.4.4', null],
    ['::ffff:0:8.8.4.4', '8.8.4.4', null],
    ['2002:0808:0404:ffff::1', '8.8.4.4', null],
    ['2001:0:4136:e378:8000:63bf:f7f7:fbfb', '8.8.4.4', null],
    // Nothing on the internet has these inside.
    ['64:ff9b::127.0.0.1', '64:ff9b::/64', '64:ff9b::/48'],
    ['2002:0a00:0001::1', '2002:a00:1::/64', '2002:a00:1::/48'],
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64', '2001:db8:1::/48'],
    ['2001:DB8:0001:0002::', '2001:db8:1:2::/64', '2001:db8:1::/48'],
    ['2001:db8::1', '2001:db8::/64', '2001:db8::/48'],
    ['fe80::1%eth0', 'fe80::/64', 'fe80::/48'],
    ['fe80::2%a/b', 'fe80::2%a/b', null],
    ['::1', '::/64', '::/48'],
    ['unknown', 'unknown', null],
    ['', '', null],
  ])('%j: %j and %j', (address, own, site) => {
    expect(networksOf(address)).toEqual({ own, site });
  });
});

const groups = fc.array(fc.integer({ min: 0, max: 0xffff }), { minLength: 8, maxLength: 8 });
const bits = (parts: readonly number[]): string =>
  parts.map((part) => part.toString(2).padStart(16, '0')).join('');

/** Spells the same address in other ways. */
const spellings = (parts: readonly number[]): string[] => {
  const long = parts.map((part) => part.toString(16).padStart(4, '0')).join(':');
  const short = parts.map((part) => part.toString(16)).join(':');
  const [seventh = 0, eighth = 0] = parts.slice(6);
  const four = [seventh >> 8, seventh & 255, eighth >> 8, eighth & 255].join('.');
  const mixed = `${parts
    .slice(0, 6)
    .map((part) => part.toString(16))
    .join(':')}:${four}`;
  return [
    long,
    short,
    long.toUpperCase(),
    mixed,
    new URL(`http://[${short}]`).hostname.slice(1, -1),
  ];
};

test('however an address is spelt, it belongs to one network, which begins as it does', () => {
  fc.assert(
    fc.property(groups, (parts) => {
      const [first, ...others] = spellings(parts).map(networksOf);
      for (const other of others) expect(other).toEqual(first);
      const { own, site } = first ?? { own: '', site: '' };
      if (site === null) return;
      for (const [network, length] of [
        [own, 64],
        [site, 48],
      ] as const) {
        const [address = '', size] = network.split('/');
        expect(isIPv6(address)).toBe(true);
        expect(size).toBe(String(length));
        const long = new URL(`http://[${address}]`).hostname.slice(1, -1);
        const [head = '', tail = ''] = long.split('::');
        const words = (text: string): number[] =>
          text === '' ? [] : text.split(':').map((word) => Number.parseInt(word, 16));
        const filled = Array<number>(8 - words(head).length - words(tail).length).fill(0);
        const whole = bits(
          long.includes('::') ? [...words(head), ...filled, ...words(tail)] : words(long),
        );
        expect(whole.slice(0, length)).toBe(bits(parts).slice(0, length));
        expect(whole.slice(length)).not.toContain('1');
      }
    }),
    { numRuns: 1000 },
  );
});

test('random texts have a network', () => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.ipV6(), fc.ipV4Extended()), (text) => {
      expect(typeof networksOf(text).own).toBe('string');
    }),
    { numRuns: 1000 },
  );
});

test.each([
  ['anna@example.com', 'anna@example.com'],
  ['anna+tales@example.com', 'anna@example.com'],
  ['anna+a+b@example.com', 'anna@example.com'],
  ['+tag@example.com', '+tag@example.com'],
  ['an.na@example.com', 'an.na@example.com'],
  ['an.n.a+x@gmail.com', 'anna@gmail.com'],
  ['anna@googlemail.com', 'anna@gmail.com'],
  ['anna-maria@example.com', 'anna-maria@example.com'],
])('%s reaches %s', (address, inbox) => {
  expect(inboxOf(address)).toBe(inbox);
});
