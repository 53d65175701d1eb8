import { expect, test } from '@jest/globals';
import { fileNameOf, inlineDisposition } from '../../src/services/narrations/file-names.js';

test.each([
  ['The Moon', 'The Moon', 'The Moon'],
  ['Żółw i żaba', 'zolw-i-zaba', 'Żółw i żaba'],
  ['Moon \u{1F31D} \u{1F469}\u200D\u{1F680}', 'moon', 'Moon \u{1F31D} \u{1F469}\u200D\u{1F680}'],
  ['ירח בשמיים', 'recording', 'ירח בשמיים'],
  ['\u{1F600}\u{1F600}', 'recording', '\u{1F600}\u{1F600}'],
  [
    'The "Moon"; filename="evil.exe" \'%41 (1)*',
    "The 'Moon'; filename='evil.exe' '_41 (1)*",
    'The "Moon"; filename="evil.exe" \'%41 (1)*',
  ],
  ['a\r\nset-cookie: b=c', 'aset-cookie: b=c', 'aset-cookie: b=c'],
  ['../../etc/passwd', '_.._etc_passwd', '_.._etc_passwd'],
  ['C:\\moon...', 'C:_moon', 'C:_moon'],
  ['\u200F\u202EThe moon\u2069', 'The moon', 'The moon'],
  ['half \uD83C of a pair', 'half-of-a-pair', 'half \uFFFD of a pair'],
  ['...', 'recording', 'recording'],
  [' . ', 'recording', 'recording'],
  ['', 'recording', 'recording'],
  ['a'.repeat(200), 'a'.repeat(180), 'a'.repeat(180)],
  ['月'.repeat(200), 'recording', '月'.repeat(60)],
  ['\u{1F600}'.repeat(200), 'recording', '\u{1F600}'.repeat(45)],
])('the file of %j is called %j, or %j', (title, ascii, name) => {
  const [, old, encoded = ''] =
    /^inline; filename="([^"]*)\.mp3"; filename\*=UTF-8''([\w.~!$&+^`|%-]*)$/.exec(
      inlineDisposition(fileNameOf(title), 'mp3'),
    ) ?? [];
  expect([old, decodeURIComponent(encoded)]).toEqual([ascii, `${name}.mp3`]);
});

test('a name does not change when it is made again', () => {
  for (const title of ['...a/b', '\u200F.a', 'a'.repeat(200), '. .', `${'a'.repeat(179)}  b`]) {
    const name = fileNameOf(title);
    expect(fileNameOf(name)).toBe(name);
  }
});
