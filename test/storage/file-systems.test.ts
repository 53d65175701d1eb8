import { stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { expect, test } from '@jest/globals';
import { requireLocalFileSystem, sharedKind } from '../../src/infra/storage/file-systems.js';

/** As proc(5) has them: device 0:49 is a FUSE, and its kind is given. */
const mounts = (kind: string): string =>
  [
    '22 1 254:0 / / rw,relatime - ext4 /dev/vda rw',
    `36 22 0:49 / /data rw,nosuid master:1 - ${kind} somewhere rw,user_id=0`,
  ].join('\n');

test.each([
  ['NFS', 0x6969],
  ['SMB', 0x517b],
  ['SMB', 0xfe534d42],
  ['CIFS', 0xff534d42],
  ['CIFS', 0xff534d42 | 0],
  ['Ceph', 0x00c36400],
  ['Lustre', 0x0bd00bd0],
])('%s (%i) can be mounted by several machines', (name, type) => {
  expect(sharedKind(type, { dev: 1, mounts: '' })).toBe(name);
});

test.each([
  ['ext4', 0xef53],
  ['xfs', 0x58465342],
  ['btrfs', 0x9123683e],
  ['zfs', 0x2fc12fc1],
  ['tmpfs', 0x01021994],
  ['overlayfs', 0x794c7630],
  ['9p', 0x01021997],
  ['one that is not known', 0x12345678],
])('%s (%i) belongs to this machine', (_name, type) => {
  expect(sharedKind(type, { dev: 1, mounts: mounts('fuse.sshfs') })).toBeNull();
});

test.each([
  ['fuse.sshfs', 'fuse.sshfs'],
  ['fuse.glusterfs', 'fuse.glusterfs'],
  ['fuse.fuse-overlayfs', null],
  ['virtiofs', null],
  ['fuseblk', null],
])('FUSE is judged by its kind: %s', (kind, shared) => {
  expect(sharedKind(0x65735546, { dev: 49, mounts: mounts(kind) })).toBe(shared);
  expect(sharedKind(0x65735546, { dev: 50, mounts: mounts(kind) })).toBeNull();
});

test('the folder for temporary files is accepted, also where a folder in it is still to be made', async () => {
  expect((await stat(tmpdir())).isDirectory()).toBe(true);
  await requireLocalFileSystem(`${tmpdir()}/not/made/yet`);
});
