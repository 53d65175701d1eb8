/**
 * A cluster of Postgres with Patroni: three nodes, etcd and HAProxy, all on loopback addresses, from Debian's packages
 * patroni, etcd-server, haproxy and postgresql-15.
 */
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  chownSync,
  existsSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';

const { fetch } = globalThis;
const NODES = 3;
/** Patroni replaces a leader this many seconds after its last sign of life. 20 is the minimum. */
const TTL_SECONDS = 20;
const PASSWORD = 'of-the-harness';
const PGBOUNCER = '/usr/sbin/pgbouncer';

async function freePort() {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  server.close();
  await once(server, 'close');
  return port;
}

/** Waits until a condition holds. @throws when it does not hold in time */
export async function until(what, isSo, timeoutMs = 180_000) {
  const deadline = Date.now() + timeoutMs;
  for (;;) {
    const found = await Promise.resolve()
      .then(isSo)
      .catch(() => false);
    if (found) return found;
    if (Date.now() > deadline) throw new Error(`Timed out while waiting until ${what}.`);
    await sleep(100);
  }
}

/** Postgres refuses to run as root. */
const account =
  process.getuid() === 0
    ? {
        uid: Number(execFileSync('id', ['-u', 'postgres'])),
        gid: Number(execFileSync('id', ['-g', 'postgres'])),
      }
    : {};

function binaries(pgbouncer) {
  const folder = ['15', '16', '17', '18']
    .map((version) => `/usr/lib/postgresql/${version}/bin`)
    .find((path) => existsSync(join(path, 'postgres')));
  const pooler = pgbouncer ? [PGBOUNCER] : [];
  const missing = ['/usr/bin/patroni', '/usr/bin/etcd', '/usr/sbin/haproxy', ...pooler].filter(
    (path) => !existsSync(path),
  );
  if (folder === undefined || missing.length > 0)
    throw new Error(
      'Install the packages: apt-get install patroni etcd-server haproxy postgresql-15 pgbouncer',
    );
  return folder;
}

const configurationOf = ({ node, etcdPort, folder, programs, synchronous }) => ({
  scope: 'talebank',
  name: node.name,
  restapi: {
    listen: `127.0.0.1:${node.restPort}`,
    connect_address: `127.0.0.1:${node.restPort}`,
  },
  etcd3: { host: `127.0.0.1:${etcdPort}` },
  bootstrap: {
    dcs: {
      ttl: TTL_SECONDS,
      loop_wait: 2,
      retry_timeout: 5,
      maximum_lag_on_failover: 104_857_600,
      synchronous_mode: synchronous,
      postgresql: {
        use_pg_rewind: true,
        use_slots: true,
        parameters: { max_connections: 120, wal_log_hints: 'on', wal_keep_size: '256MB' },
      },
    },
    initdb: [{ encoding: 'UTF8' }, 'data-checksums'],
    pg_hba: ['host all all 127.0.0.0/8 trust', 'host replication all 127.0.0.0/8 trust'],
  },
  postgresql: {
    listen: `127.0.0.1:${node.port}`,
    connect_address: `127.0.0.1:${node.port}`,
    data_dir: node.data,
    bin_dir: programs,
    pgpass: join(folder, `pgpass-${node.name}`),
    authentication: {
      superuser: { username: 'postgres', password: PASSWORD },
      replication: { username: 'replicator', password: PASSWORD },
      rewind: { username: 'rewinder', password: PASSWORD },
    },
    parameters: { unix_socket_directories: folder },
  },
});

const proxyConfiguration = (port, nodes) => `
global
  maxconn 1000
defaults
  mode tcp
  timeout connect 3s
  timeout client 1h
  timeout server 1h
  timeout check 2s
listen primary
  bind 127.0.0.1:${port}
  option httpchk OPTIONS /primary
  http-check expect status 200
  default-server inter 500ms fall 2 rise 1 on-marked-down shutdown-sessions
${nodes.map(({ name, port: own, restPort }) => `  server ${name} 127.0.0.1:${own} check port ${restPort}`).join('\n')}
`;

/**
 * PgBouncer opens new connections to a server at once when the last try failed, because a new primary is there soon. A client
 * that gets no connection is refused rather than kept waiting, so that it can answer that it is busy.
 */
const poolerConfiguration = ({ port, primaryPort, folder }) => `
[databases]
* = host=127.0.0.1 port=${primaryPort}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = ${port}
unix_socket_dir =
auth_type = trust
auth_file = ${join(folder, 'users.txt')}
pool_mode = session
default_pool_size = 100
max_client_conn = 200
server_connect_timeout = 3
server_login_retry = 1
query_wait_timeout = 5
`;

/**
 * Starts everything.
 * @param options.synchronous whether a commit waits for a standby
 * @param options.pgbouncer whether clients connect through PgBouncer
 */
export async function startCluster({ synchronous, pgbouncer }) {
  const programs = binaries(pgbouncer);
  const folder = mkdtempSync(join(tmpdir(), 'talebank-failover-'));
  if (account.uid !== undefined) chownSync(folder, account.uid, account.gid);
  const running = new Set();
  const run = (name, program, args) => {
    const log = openSync(join(folder, `${name}.log`), 'a');
    const child = spawn(program, args, {
      ...account,
      cwd: folder,
      env: { PATH: `${programs}:/usr/sbin:/usr/bin:/bin`, LANG: 'C.UTF-8' },
      stdio: ['ignore', log, log],
    });
    running.add(child);
    child.once('exit', () => running.delete(child));
    return child;
  };
  const [etcdPort, peerPort, port] = [await freePort(), await freePort(), await freePort()];
  const nodes = [];
  for (let index = 1; index <= NODES; index += 1)
    nodes.push({
      name: `node${index}`,
      port: await freePort(),
      restPort: await freePort(),
      data: join(folder, `data${index}`),
    });
  const etcd = `http://127.0.0.1:${etcdPort}`;
  const peer = `http://127.0.0.1:${peerPort}`;
  run('etcd', '/usr/bin/etcd', [
    ...['--name', 'etcd', '--data-dir', join(folder, 'etcd'), '--initial-cluster', `etcd=${peer}`],
    ...['--listen-client-urls', etcd, '--advertise-client-urls', etcd],
    ...['--listen-peer-urls', peer, '--initial-advertise-peer-urls', peer],
  ]);
  await until('etcd answers', async () => (await fetch(`${etcd}/health`)).ok);
  const startNode = (node) => {
    const path = join(folder, `${node.name}.yml`);
    const configuration = configurationOf({ node, etcdPort, folder, programs, synchronous });
    // JSON is also YAML.
    writeFileSync(path, JSON.stringify(configuration));
    node.patroni = run(node.name, '/usr/bin/patroni', [path]);
  };
  for (const node of nodes) startNode(node);
  writeFileSync(join(folder, 'haproxy.cfg'), proxyConfiguration(port, nodes));
  run('haproxy', '/usr/sbin/haproxy', ['-db', '-f', join(folder, 'haproxy.cfg')]);
  let clientPort = port;
  if (pgbouncer) {
    clientPort = await freePort();
    writeFileSync(join(folder, 'users.txt'), '"talebank" ""\n');
    const path = join(folder, 'pgbouncer.ini');
    writeFileSync(path, poolerConfiguration({ port: clientPort, primaryPort: port, folder }));
    run('pgbouncer', PGBOUNCER, [path]);
  }

  const members = async () => {
    for (const { restPort } of nodes) {
      const answer = await fetch(`http://127.0.0.1:${restPort}/cluster`).catch(() => null);
      if (answer?.ok) return (await answer.json()).members;
    }
    return [];
  };
  const leader = async () => {
    const found = (await members()).find(({ role }) => role === 'leader');
    const node = nodes.find(({ name }) => name === found?.name);
    if (node === undefined) return null;
    const answer = await fetch(`http://127.0.0.1:${node.restPort}/primary`).catch(() => null);
    return answer?.ok ? node : null;
  };
  /**
   * Waits until every node runs and follows the leader and, if replication is synchronous, one is the synchronous
   * standby.
   */
  const isWhole = async () => {
    const all = await members();
    const follows = ({ role, state }) => role !== 'leader' && /running|streaming/.test(state);
    return (
      (await leader()) !== null &&
      all.filter(follows).length === NODES - 1 &&
      (!synchronous || all.some(({ role }) => role === 'sync_standby'))
    );
  };
  const postmasterOf = ({ data }) =>
    Number(readFileSync(join(data, 'postmaster.pid'), 'utf8').split('\n')[0]);
  const sendersOf = (node) => {
    try {
      const found = execFileSync('pgrep', ['-P', String(postmasterOf(node)), '-f', 'walsender']);
      return found.toString().trim().split('\n').map(Number);
    } catch {
      return [];
    }
  };
  return {
    folder,
    superuserUrl: `postgresql://postgres@127.0.0.1:${port}/postgres`,
    urlOf: (database) => `postgresql://talebank@127.0.0.1:${clientPort}/${database}`,
    whole: () => until('the cluster is whole', isWhole),
    /**
     * Kills the primary after its standbys have received nothing for a while, as if first its network and then its
     * machine had failed. @returns the node, when it was killed, and the time until another one was primary
     */
    async failOver(cutMs) {
      const victim = await until('there is a leader', leader);
      const postmaster = postmasterOf(victim);
      const senders = sendersOf(victim);
      for (const pid of senders) process.kill(pid, 'SIGSTOP');
      await sleep(cutMs);
      victim.patroni.kill('SIGKILL');
      process.kill(postmaster, 'SIGKILL');
      for (const pid of senders) process.kill(pid, 'SIGKILL');
      const [killedAt, killedMs] = [new Date().toISOString(), performance.now()];
      await until('there is another leader', async () => {
        const found = await leader();
        return found !== null && found !== victim;
      });
      return { victim, killedAt, seconds: (performance.now() - killedMs) / 1000 };
    },
    bringBack: startNode,
    async close() {
      for (const { patroni } of nodes) patroni.kill('SIGTERM');
      await Promise.race([
        Promise.all(nodes.map(({ patroni }) => patroni.exitCode ?? once(patroni, 'exit'))),
        sleep(30_000),
      ]);
      for (const child of running) child.kill('SIGKILL');
      await sleep(500);
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
