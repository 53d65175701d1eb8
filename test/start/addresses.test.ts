import { expect, test } from '@jest/globals';
import type * as Address from '../../src/infra/connections/address.js';
import { compiled } from '../support/compiled.js';

const { readAddress } = await compiled<typeof Address>('infra/connections/address.js');

const read = (rest: string): unknown => {
  const { host, port, user, password, database, sslmode, options } = readAddress(rest);
  return { host, port, user, password, database, sslmode, options };
};
const PLAIN = {
  host: 'db.example',
  port: 5432,
  user: 'me',
  password: 'p w',
  database: 'stories',
  sslmode: 'disable',
  options: undefined,
};

test.each([
  ['postgresql://me:p%20w@db.example/stories', {}],
  ['postgres://me:p%20w@db.example:6000/stories?schema=public', { port: 6000 }],
  ['postgresql://me:p%20w@[::1]/stories?sslmode=prefer', { host: '::1', sslmode: 'prefer' }],
  ['postgresql://me:p%20w@%2Frun%2Fpg/stories', { host: '/run/pg' }],
  ['postgresql:///stories?host=/run/pg&user=me&password=p%20w', { host: '/run/pg' }],
  [
    'postgresql://me:p%20w@db.example/x?dbname=stories&port=7&target_session_attrs=primary',
    { port: 7 },
  ],
  ['postgresql://me:p%20w@db.example/st%C3%B3ries', { database: 'stóries' }],
  ['postgresql://me:p%20w@db.example/stories?ssl=true', { sslmode: 'verify-full' }],
  ['postgresql://me:p%20w@db.example/stories?sslmode=no-verify', { sslmode: 'require' }],
  [
    'postgresql://me:p%20w@db.example/stories?options=-c%20work_mem%3D8MB',
    { options: '-c work_mem=8MB' },
  ],
  ['postgresql://me:p%20w@db.example', { database: 'me' }],
])('%s is understood', (url, other) => {
  expect(read(url)).toEqual({ ...PLAIN, ...other });
});

test.each([
  ['mysql://h/d', 'must be an address that begins with postgres:// or postgresql://'],
  ['postgresql://h:99999/d', /one host and a port of 1 to 65535/],
  ['postgresql://one:5432,two:5432/d', /one host and a port of 1 to 65535/],
  ['postgresql://h:0/d', 'must have a port of 1 to 65535, not 0'],
  ['postgresql://h/d?port=70000', 'must have a port of 1 to 65535, not 70000'],
  ['postgresql://h/d?port=x', /must not have the parameter "port=x"/],
  ['postgresql://h/d?schema=app', /"schema=app", because the tables are in the schema public/],
  ['postgresql://h/d?sslmode=on', /"sslmode=on", because it may be disable, allow, prefer/],
  ['postgresql://h/d?connection_limit=5', /"connection_limit", because DATABASE_POOL_SIZE says/],
  ['postgresql://h/d?pgbouncer=true', /a pooler must be in session mode/],
  ['postgresql://h/d?statement_timeout=5', /every session has its own time-outs/],
  ['postgresql://h/d?client_encoding=LATIN1', /"client_encoding=LATIN1"/],
  ['postgresql://h/d?target_session_attrs=standby', /"target_session_attrs=standby"/],
  ['postgresql://h/d?colour=blue', /"colour"; those that are known are host, port, /],
  ['postgresql://h/d?sslrootcert=/nowhere&sslmode=verify-full', /"sslrootcert=\/nowhere": ENOENT/],
  ['postgresql://h/d?sslcert=/a', /both of the parameters sslcert and sslkey/],
  ['postgresql://h/d?sslnegotiation=direct&sslmode=prefer', /must have sslmode=require/],
  ['postgresql://h/50%', /a percent sign is written as %25/],
])('%s is refused, not ignored', (url, message) => {
  expect(() => readAddress(url)).toThrow(message);
});

test('what proves whose the server is follows libpq', () => {
  const tls = (parameters: string): unknown => readAddress(`postgresql://h/d?${parameters}`).ssl;
  expect(tls('sslmode=disable')).toBe(false);
  expect(tls('sslmode=require')).toEqual({ rejectUnauthorized: false });
  expect(tls('sslmode=prefer')).toEqual({ rejectUnauthorized: false });
  expect(tls('sslmode=verify-full')).toEqual({});
  expect(tls('sslmode=verify-ca')).toEqual({ checkServerIdentity: expect.any(Function) });
  const root = encodeURIComponent(import.meta.filename);
  expect(tls(`sslmode=require&sslrootcert=${root}`)).toEqual({
    ca: expect.stringContaining('follows libpq'),
    checkServerIdentity: expect.any(Function),
  });
});
