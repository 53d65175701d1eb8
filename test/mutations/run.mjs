// Takes away each guard of the ledger in turn, in a copy of the project, and demands that a test fails:
//   npm run test:mutations [-- part of a guard's name]
import { spawnSync } from 'node:child_process';
import { cp, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { MUTATIONS } from './mutations.mjs';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const COPIED = [
  'src',
  'test',
  'prisma',
  'scripts',
  'docs',
  'web',
  'package.json',
  'jest.config.js',
  '.swcrc',
  'schema.graphql',
  'prisma.config.ts',
];

/** @returns the exit code */
function run(folder, command, args) {
  const bin = join(ROOT, 'node_modules', '.bin');
  const env = {
    ...process.env,
    PATH: `${bin}:${process.env.PATH}`,
    MODEL_RUNS: '8',
    MODEL_SHRINK: 'false',
  };
  return spawnSync(command, args, { cwd: folder, env, encoding: 'utf8' });
}

async function copyProject() {
  const folder = await mkdtemp(join(tmpdir(), 'talebank-mutation-'));
  for (const name of COPIED)
    await cp(join(ROOT, name), join(folder, name), { recursive: true }).catch(() => undefined);
  await symlink(join(ROOT, 'node_modules'), join(folder, 'node_modules'));
  return folder;
}

async function change(folder, { file, find, replace }) {
  const path = join(folder, file);
  const text = await readFile(path, 'utf8');
  if (text.split(find).length !== 2) throw new Error(`${file} does not have this once: ${find}`);
  await writeFile(
    path,
    text.replace(find, () => replace),
  );
}

/** Jest on the compiled copy. @returns the names of the tests that failed; a suite that cannot even begin proves nothing */
function failures(folder, tests) {
  const build = run(folder, 'npm', ['run', '-s', 'build:server']);
  if (build.status !== 0) throw new Error(build.stderr);
  const jest = join(folder, 'node_modules/jest/bin/jest.js');
  const { stderr } = run(folder, 'node', ['--experimental-vm-modules', jest, ...tests]);
  const reported = [...stderr.matchAll(/^ {2}● (.*)$/gm)].map(([, name]) => name);
  const failed = new Set(reported.filter((name) => name !== 'Test suite failed to run'));
  if (reported.length > 0 && failed.size === 0) throw new Error(stderr);
  return [...failed];
}

const wanted = process.argv[2] ?? '';
let survived = 0;
for (const { guard, changes, tests } of MUTATIONS.filter((one) => one.guard.includes(wanted))) {
  const folder = await copyProject();
  try {
    for (const one of changes) await change(folder, one);
    const [first, ...others] = failures(folder, tests);
    if (first === undefined) survived += 1;
    const by = others.length === 0 ? first : `${first} (and ${others.length} more)`;
    process.stdout.write(
      `${first === undefined ? 'SURVIVED' : 'seen    '}  ${guard.padEnd(70)} ${by ?? tests.join(' ')}\n`,
    );
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
process.stdout.write(
  `${survived === 0 ? 'Every guard is missed when it is gone.' : `${survived} survived.`}\n`,
);
process.exitCode = survived === 0 ? 0 : 1;
