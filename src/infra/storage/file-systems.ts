import { readFile, stat, statfs } from 'node:fs/promises';
import { dirname } from 'node:path';
import { StartError } from '../start-error.js';

/**
 * File systems that several machines can have mounted at once, by the number that statfs gives for them: linux/magic.h,
 * and the sources of those that are not part of the kernel.
 */
const SHARED_BY_TYPE: ReadonlyMap<number, string> = new Map([
  [0x6969, 'NFS'],
  [0x517b, 'SMB'],
  [0xff534d42, 'CIFS'],
  [0xfe534d42, 'SMB'],
  [0x564c, 'NCP'],
  [0x5346414f, 'AFS'],
  [0x6b414653, 'AFS'],
  [0x73757245, 'Coda'],
  [0x00c36400, 'Ceph'],
  [0x0bd00bd0, 'Lustre'],
  [0x47504653, 'GPFS'],
  [0x19830326, 'BeeGFS'],
  [0x01161970, 'GFS2'],
  [0x7461636f, 'OCFS2'],
]);
const FUSE = 0x65735546;
/** Kinds of FUSE that reach over a network, as mountinfo names them. Others, such as fuse-overlayfs, are local. */
const SHARED_FUSE: ReadonlySet<string> = new Set(
  [
    ...['sshfs', 'glusterfs', 'ceph', 'ceph-fuse', 'nfs', 'smbnetfs', 'davfs', 'davfs2', 'mfs'],
    ...['s3fs', 'goofys', 'mount-s3', 'mountpoint-s3', 'gcsfuse', 'blobfuse', 'blobfuse2'],
    ...['rclone', 'juicefs', 'seaweedfs', 'curlftpfs', 'gvfsd-fuse', 'lizardfs', 'moosefs'],
  ].map((name) => `fuse.${name}`),
);

/**
 * Refuses a folder on a file system that other machines can have mounted, because a lock there may not count on them,
 * and two Postgres on one cluster destroy it. Two virtual machines that share a folder of their host (9p, virtiofs)
 * cannot be told from one.
 * @param folder may not exist yet: then where it would be made counts
 * @throws StartError
 */
export async function requireLocalFileSystem(folder: string): Promise<void> {
  if (process.platform !== 'linux') return;
  const place = await nearestThatExists(folder);
  const { type } = await statfs(place);
  const { dev } = await stat(place);
  const mounts = await readFile('/proc/self/mountinfo', 'utf8').catch(() => '');
  const kind = sharedKind(type, { dev, mounts });
  if (kind !== null)
    throw new StartError(
      `DATA_DIR is ${folder}, which is on a network file system (${kind}), where another machine could start a second database on it: set DATA_DIR to a folder on a local disk, or DATABASE_URL to a Postgres of your own.`,
    );
}

async function nearestThatExists(folder: string): Promise<string> {
  for (let path = folder; ; path = dirname(path)) {
    if (path === dirname(path)) return path;
    const found = await stat(path).catch(() => null);
    if (found !== null) return path;
  }
}

/**
 * What a file system is called that several machines can have mounted.
 * @param type as statfs says it
 * @param place the device number of a folder on it, and the lines of /proc/self/mountinfo
 * @returns null for one that belongs to this machine, as far as can be told
 */
export function sharedKind(
  type: number,
  { dev, mounts }: { dev: number; mounts: string },
): string | null {
  // On some architectures the number is signed.
  const unsigned = type >>> 0;
  if (unsigned !== FUSE) return SHARED_BY_TYPE.get(unsigned) ?? null;
  const kind = fileSystemOf(deviceName(dev), mounts);
  return kind !== undefined && SHARED_FUSE.has(kind) ? kind : null;
}

/** As glibc takes a device number apart. */
const deviceName = (dev: number): string =>
  `${String((dev >>> 8) & 0xfff)}:${String((dev & 0xff) | ((dev >>> 12) & 0xfff00))}`;

/** proc(5): the third field of a line is the device, and the first one after the hyphen the kind. */
function fileSystemOf(device: string, mounts: string): string | undefined {
  const line = mounts.split('\n').find((one) => one.split(' ')[2] === device);
  return line?.split(' - ')[1]?.split(' ')[0];
}
