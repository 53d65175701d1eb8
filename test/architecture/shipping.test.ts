import { execFile } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from '@jest/globals';
import { parse, parseAllDocuments } from 'yaml';
import type * as Variables from '../../src/variables.js';
import { compiled } from '../support/compiled.js';

/** The image, Compose, Kubernetes and systemd agree with the server and with each other. */
const API_PORT = 4000;
const METRICS_PORT = 9464;
const USER = 10_001;
const { variables } = await compiled<typeof Variables>('variables.js');
const known = new Set(Object.keys(variables.shape));
const unknownIn = (names: readonly string[]): string[] => names.filter((name) => !known.has(name));

type Names = Readonly<Record<string, string>>;

// ------------------------------------------------------------------ the image

const dockerfile = readFileSync('Dockerfile', 'utf8').replaceAll(/\\\n\s*/g, '');
const instructions = dockerfile
  .split('\n')
  .filter((line) => /^[A-Z]+ /.test(line))
  .map((line) => ({ name: line.split(' ', 1)[0] ?? '', rest: line.replace(/^\S+ +/, '') }));
const lastStage = instructions.slice(instructions.map(({ name }) => name).lastIndexOf('FROM'));
const restOf = (wanted: string): string[] =>
  lastStage.filter(({ name }) => name === wanted).map(({ rest }) => rest);
const imageEnvironment = Object.fromEntries(
  restOf('ENV')
    .flatMap((rest) => rest.trim().split(/\s+/))
    .map((pair) => pair.split('=', 2) as [string, string]),
);

test('the image sets variables that exist, at the ports that it exposes', () => {
  expect(unknownIn(Object.keys(imageEnvironment))).toEqual([]);
  expect(imageEnvironment).toMatchObject({
    NODE_ENV: 'production',
    PORT: String(API_PORT),
    METRICS_PORT: String(METRICS_PORT),
  });
  expect(restOf('EXPOSE')).toEqual([`${String(API_PORT)} ${String(METRICS_PORT)}`]);
  expect(variables.safeParse(imageEnvironment).success).toBe(true);
});

test('the image runs as a user other than root, who owns only the data, and has a health check', () => {
  expect(restOf('USER')).toEqual([`${String(USER)}:${String(USER)}`]);
  expect(restOf('COPY').join()).not.toContain('--chown');
  expect(dockerfile).toContain('/healthz');
  expect(restOf('HEALTHCHECK')[0]).toContain('process.env.METRICS_PORT');
  expect(restOf('CMD')).toEqual(['["node", "dist/main.js"]']);
});

test('the image has only packages that are needed at run time, and the files that it copies exist', () => {
  expect(dockerfile).toMatch(/^RUN npm ci --omit=dev --ignore-scripts/m);
  expect(restOf('COPY').filter((rest) => rest.startsWith('--from=packages'))).toEqual([
    '--from=packages /opt/talebank/node_modules node_modules',
  ]);
  const [major] = readFileSync('.nvmrc', 'utf8').trim().split('.');
  expect(dockerfile).toContain(`ARG NODE_VERSION=${major ?? ''}\n`);
  const sources = restOf('COPY')
    .filter((rest) => !rest.startsWith('--from'))
    .flatMap((rest) => rest.split(' ').slice(0, -1));
  expect(sources.length).toBeGreaterThan(3);
  expect(sources.filter((source) => !existsSync(source))).toEqual([]);
});

test('the build gets every folder that it reads, and no secret', () => {
  const lines = readFileSync('.dockerignore', 'utf8').split('\n');
  expect(lines).toEqual(expect.arrayContaining(['*', '**/.env*', '**/node_modules']));
  const sent = lines.filter((line) => line.startsWith('!')).map((line) => line.slice(1));
  expect(sent.filter((path) => !existsSync(path))).toEqual([]);
  for (const path of ['package.json', 'package-lock.json', 'src', 'web', 'prisma', 'scripts'])
    expect(sent).toContain(path);
  // The build generates the types of operations, and fails where it finds none.
  const { schema, generates } = parse(readFileSync('codegen.yml', 'utf8')) as {
    readonly schema: string;
    readonly generates: Readonly<Record<string, { readonly documents: string }>>;
  };
  expect(sent).toContain(schema);
  for (const { documents } of Object.values(generates)) {
    const [folder = ''] = documents.split('*');
    const isSent = sent.some((path) => path.startsWith(folder) || folder.startsWith(`${path}/`));
    expect([documents, isSent]).toEqual([documents, true]);
  }
});

// ------------------------------------------------------------------ Compose

interface Service {
  readonly image: string;
  readonly build?: string;
  readonly command?: readonly string[];
  readonly environment?: Names;
  readonly read_only?: boolean;
  readonly cap_drop?: readonly string[];
  readonly stop_grace_period?: string;
  readonly ports?: readonly string[];
  readonly volumes?: readonly string[];
  readonly networks: readonly string[];
  readonly depends_on?: Readonly<Record<string, { readonly condition: string }>>;
  readonly deploy?: { readonly replicas: number };
  readonly healthcheck?: object;
}

const compose = parse(readFileSync('compose.yaml', 'utf8'), { merge: true }) as {
  readonly services: Readonly<Record<string, Service>>;
  readonly networks: Readonly<
    Record<string, { readonly ipam?: { readonly config: { subnet: string }[] } }>
  >;
  readonly volumes: object;
};
const services = Object.entries(compose.services);
const ours = services.filter(([, { build }]) => build !== undefined);

test('Compose starts two API processes and two workers, with variables that exist and values that are allowed', () => {
  expect(ours.map(([name, { deploy }]) => [name, deploy?.replicas])).toEqual([
    ['migrate', undefined],
    ['api', 2],
    ['worker', 2],
  ]);
  for (const [, { environment = {} }] of ours) {
    expect(unknownIn(Object.keys(environment))).toEqual([]);
    // As Compose fills in what the operator has set, or the default.
    const filled = Object.entries({ ...imageEnvironment, ...environment }).map(([name, value]) => [
      name,
      value.replaceAll(/\$\{\w+(?::-([^}]*)|:\?[^}]*)?\}/g, (_all, preset?: string) =>
        name === 'ADMIN_EMAIL' ? 'admin@example.com' : (preset ?? 'a-secret-value'),
      ),
    ]);
    const read = variables.safeParse(Object.fromEntries(filled));
    expect(read.error?.issues ?? []).toEqual([]);
  }
});

test('Compose runs the image read-only and unprivileged, and gives it enough time to stop', () => {
  for (const [, service] of ours)
    expect(service).toMatchObject({
      read_only: true,
      cap_drop: ['ALL'],
      stop_grace_period: '60s',
      tmpfs: ['/tmp'],
      security_opt: ['no-new-privileges:true'],
    });
});

test('Compose trusts the network of the proxy, which contains only the proxy and the API', () => {
  const subnet = compose.networks['front']?.ipam?.config[0]?.subnet;
  expect(compose.services['api']?.environment?.['TRUST_PROXY']).toBe(subnet);
  const inFront = services.filter(([, { networks }]) => networks.includes('front'));
  expect(inFront.map(([name]) => name).sort()).toEqual(['api', 'proxy']);
});

test('the services, volumes, networks and files that Compose names exist', () => {
  for (const [, service] of services) {
    for (const [other, { condition }] of Object.entries(service.depends_on ?? {})) {
      expect(Object.keys(compose.services)).toContain(other);
      if (condition === 'service_healthy' && compose.services[other]?.build === undefined)
        expect(compose.services[other]?.healthcheck).toBeDefined();
    }
    for (const network of service.networks)
      expect(Object.keys(compose.networks)).toContain(network);
    for (const [source = ''] of (service.volumes ?? []).map((volume) => volume.split(':')))
      if (source.startsWith('./')) expect([source, existsSync(source)]).toEqual([source, true]);
      else expect(Object.keys(compose.volumes)).toContain(source);
  }
  // Only the proxy is open to other machines.
  const open = services.flatMap(([name, { ports = [] }]) =>
    ports.filter((port) => !port.startsWith('127.0.0.1:')).map(() => name),
  );
  expect([...new Set(open)]).toEqual(['proxy']);
});

test('Prometheus and the proxy of Compose reach the services at their ports', () => {
  const prometheus = parse(readFileSync('ops/compose/prometheus.yml', 'utf8')) as {
    scrape_configs: { job_name: string; dns_sd_configs: { names: string[]; port: number }[] }[];
  };
  const scraped = prometheus.scrape_configs.map(({ job_name: job, dns_sd_configs: configs }) => [
    job,
    configs[0]?.names,
    configs[0]?.port,
  ]);
  expect(scraped).toEqual([
    ['talebank-api', ['api'], METRICS_PORT],
    ['talebank-worker', ['worker'], METRICS_PORT],
  ]);
  expect(readFileSync('ops/compose/Caddyfile', 'utf8')).toContain(`api ${String(API_PORT)} {`);
});

// ------------------------------------------------------------------ Kubernetes

interface Probe {
  readonly httpGet: { readonly path: string; readonly port: string };
}
interface Container {
  readonly image: string;
  readonly command?: readonly string[];
  readonly env?: readonly { readonly name: string; readonly value: string }[];
  readonly ports?: readonly { readonly name: string; readonly containerPort: number }[];
  readonly startupProbe?: Probe;
  readonly livenessProbe?: Probe;
  readonly readinessProbe?: Probe;
  readonly securityContext: object;
}
interface PodTemplate {
  readonly metadata: { readonly labels: Names };
  readonly spec: {
    readonly containers: readonly Container[];
    readonly securityContext: object;
    readonly terminationGracePeriodSeconds?: number;
  };
}
interface Resource {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string };
  readonly data?: Names;
  readonly stringData?: Names;
  readonly spec?: {
    readonly replicas?: number;
    readonly selector?: Names | { readonly matchLabels: Names };
    readonly podSelector?: { readonly matchLabels: Names };
    readonly template?: PodTemplate;
    readonly ports?: readonly { readonly targetPort: string }[];
  };
}

const FOLDER = 'ops/kubernetes';
const resources = readdirSync(FOLDER)
  .flatMap((name) => parseAllDocuments(readFileSync(join(FOLDER, name), 'utf8')))
  .map((document) => {
    expect(document.errors).toEqual([]);
    return document.toJS() as Resource;
  });
const ofKind = (wanted: string): Resource[] => resources.filter(({ kind }) => kind === wanted);
const templates = resources.flatMap(({ spec }) => spec?.template ?? []);

test('every resource of Kubernetes has a kind, a version and a name of its own', () => {
  const names = resources.map(({ kind, metadata }) => `${kind}/${metadata.name}`);
  expect(new Set(names).size).toBe(names.length);
  for (const { apiVersion } of resources)
    expect(apiVersion).toMatch(/^(?:v1|apps\/v1|batch\/v1|policy\/v1|networking\.k8s\.io\/v1)$/);
});

test('Kubernetes sets variables that exist and values that are allowed', () => {
  const given = Object.assign(
    {},
    ...resources.map(({ data, stringData }) => ({ ...data, ...stringData })),
  ) as Names;
  expect(Object.keys(given).length).toBeGreaterThan(10);
  expect(unknownIn(Object.keys(given))).toEqual([]);
  for (const { spec } of templates)
    for (const { env = [] } of spec.containers) {
      expect(unknownIn(env.map(({ name }) => name))).toEqual([]);
      const own = Object.fromEntries(env.map(({ name, value }) => [name, value]));
      const read = variables.safeParse({ ...imageEnvironment, ...given, ...own });
      expect(read.error?.issues ?? []).toEqual([]);
    }
});

test('Kubernetes runs two processes of each role, at the ports and with the probes of the server', () => {
  const deployments = ofKind('Deployment');
  expect(deployments.map(({ metadata }) => metadata.name)).toEqual([
    'talebank-api',
    'talebank-worker',
  ]);
  for (const { metadata, spec } of deployments) {
    expect(spec?.replicas).toBe(2);
    expect(spec?.template?.spec.terminationGracePeriodSeconds).toBe(60);
    const [container] = spec?.template?.spec.containers ?? [];
    const ports = container?.ports?.map(({ name, containerPort }) => [name, containerPort]);
    const http = metadata.name === 'talebank-api' ? [['http', API_PORT]] : [];
    expect(ports).toEqual([...http, ['metrics', METRICS_PORT]]);
    const probes = [container?.startupProbe, container?.livenessProbe, container?.readinessProbe];
    expect(probes.map((probe) => probe?.httpGet)).toEqual([
      { path: '/healthz', port: 'metrics' },
      { path: '/healthz', port: 'metrics' },
      { path: '/readyz', port: 'metrics' },
    ]);
  }
});

test('Kubernetes runs the image as its own user, read-only and unprivileged', () => {
  expect(templates.length).toBe(3);
  for (const { spec } of templates) {
    expect(spec.securityContext).toMatchObject({ runAsNonRoot: true, runAsUser: USER });
    for (const { securityContext } of spec.containers)
      expect(securityContext).toEqual({
        allowPrivilegeEscalation: false,
        readOnlyRootFilesystem: true,
        capabilities: { drop: ['ALL'] },
      });
  }
});

test('the selectors of Kubernetes select existing pods', () => {
  const labels = templates.map(({ metadata }) => JSON.stringify(metadata.labels));
  for (const { kind, spec } of resources) {
    const selector = spec?.selector;
    if (selector === undefined) continue;
    const wanted = 'matchLabels' in selector ? selector.matchLabels : selector;
    expect([kind, labels.includes(JSON.stringify(wanted))]).toEqual([kind, true]);
  }
  expect(ofKind('Service')[0]?.spec?.ports?.[0]?.targetPort).toBe('http');
});

test('every port of the pods is closed to other namespaces than those that Kubernetes names', () => {
  const bounded = ofKind('NetworkPolicy').map(({ spec }) => spec?.podSelector?.matchLabels);
  for (const { spec } of ofKind('Deployment'))
    expect(bounded).toContainEqual(spec?.template?.metadata.labels);
});

// ------------------------------------------------------------------ systemd

const UNITS = 'ops/systemd';
const units = readdirSync(UNITS);
const settingsOf = (name: string): [string, string][] =>
  readFileSync(join(UNITS, name), 'utf8')
    .split('\n')
    .filter((line) => /^[A-Z]\w+=/.test(line))
    .map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]);

test('the units of systemd set variables that exist, and start programs that exist', () => {
  const started = units.filter((name) => name.endsWith('.service'));
  expect(started.length).toBe(4);
  for (const name of started) {
    const settings = settingsOf(name);
    const given = settings
      .filter(([setting]) => setting === 'Environment')
      .map(([, pair]) => pair.replaceAll('%i', '1').split('=', 2) as [string, string]);
    expect(unknownIn(given.map(([variable]) => variable))).toEqual([]);
    expect(variables.safeParse(Object.fromEntries(given)).success).toBe(true);
    const [, program = ''] = settings.find(([setting]) => setting === 'ExecStart') ?? [];
    const [, path = ''] = /dist\/([\w/]+)\.js/.exec(program) ?? [];
    expect([name, existsSync(`src/${path}.ts`)]).toEqual([name, true]);
    if (name.includes('@')) expect(settings).toContainEqual(['TimeoutStopSec', '60']);
  }
});

test('systemd finds no fault with the units', async () => {
  if (!existsSync('/usr/bin/systemd-analyze')) return;
  const folder = await mkdtemp(join(tmpdir(), 'talebank-units-'));
  try {
    for (const name of units) {
      const text = await readFile(join(UNITS, name), 'utf8');
      // The programs and the folders are those of an installation.
      const here = text.replaceAll('/opt/talebank/node_modules/.bin/node', process.execPath);
      await writeFile(join(folder, name), here.replaceAll('/opt/talebank', process.cwd()));
    }
    const names = units.map((name) => name.replace('@.', '@1.'));
    const verified = await promisify(execFile)(
      'systemd-analyze',
      ['verify', ...names.map((name) => join(folder, name))],
      { cwd: folder },
    );
    expect(verified.stderr).toBe('');
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});
