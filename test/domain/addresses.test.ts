import { describe, expect, test } from '@jest/globals';
import { emailFaultOf, spellingOf } from '../../src/domain/inboxes.js';

const long = `${'a'.repeat(64)}@${'b'.repeat(63)}.${'c'.repeat(63)}.${'d'.repeat(57)}.com`;

describe('an address that mail servers accept is accepted, in one spelling', () => {
  test.each([
    ['user@example.xn--p1ai', 'user@example.xn--p1ai'],
    ['user@XN--E1AFMKFD.XN--P1AI', 'user@xn--e1afmkfd.xn--p1ai'],
    ['user@пример.рф', 'user@xn--e1afmkfd.xn--p1ai'],
    ['user@MÜNCHEN.example', 'user@xn--mnchen-3ya.example'],
    ['user@Mu\u0308nchen.example', 'user@xn--mnchen-3ya.example'],
    ['user@例え。jp', 'user@xn--r8jz45g.jp'],
    ['o&m@example.com', 'o&m@example.com'],
    [" O'Brien+Tales@Example.COM ", "o'brien+tales@example.com"],
    ["!#$%&'*+/=?^_`{|}~-@example.com", "!#$%&'*+/=?^_`{|}~-@example.com"],
    ['a/b@example.com', 'a/b@example.com'],
    ['-a-@example.com', '-a-@example.com'],
    ['a..b.@docomo.example', 'a..b.@docomo.example'],
    ['1@1.example', '1@1.example'],
    ['a@b-c.co.uk', 'a@b-c.co.uk'],
    ['a@example.museum', 'a@example.museum'],
    [long, long],
  ])('%s', (given, spelling) => {
    expect([spellingOf(given), emailFaultOf(spellingOf(given))]).toEqual([spelling, null]);
    expect(spellingOf(spelling)).toBe(spelling);
  });
});

describe('texts that are no address, and addresses that cannot receive mail, are refused', () => {
  test.each([
    '',
    '@',
    'nobody',
    'nobody@',
    '@example.com',
    'a@localhost',
    'a@b',
    'a@example.com.',
    'a@.example.com',
    'a@example..com',
    'a@-example.com',
    'a@example-.com',
    'a@exa_mple.com',
    `a@${'b'.repeat(64)}.com`,
    'a@127.0.0.1',
    'a@１２７.0.0.1',
    'a@[127.0.0.1]',
    'a@[IPv6:::1]',
    'a@b@example.com',
    '"a b"@example.com',
    '"a"@example.com',
    'a b@example.com',
    'a@exa mple.com',
    'a@example.com, b@example.com',
    'a@example.com;b@example.com',
    'Anna <a@example.com>',
    'a@example.com\r\nBcc: b@example.com',
    'a\r\nRCPT TO:<b@example.com>@example.com',
    'a\u0000@example.com',
    'a@exa\u0000mple.com',
    'a@пример\r\n.рф',
    'a@пример.рф/b',
    'a@пример.рф:25',
    'a@пример.рф?b',
    'a@при мер.рф',
    'анна@example.com',
    'a\u200D@example.com',
    'ａ@example.com',
    'a＠example.com',
    'a(b)@example.com',
    'a\\@example.com',
    'a@xn--\u0430.com',
    'a@somebody.invalid',
    `${'a'.repeat(250)}@example.com`,
    `a@${'ü'.repeat(600)}.com`,
    `a@${Array.from({ length: 30 }, () => 'пример').join('.')}.рф`,
  ])('%j', (given) => {
    expect(emailFaultOf(spellingOf(given))).toMatch(/^must /);
  });
});
