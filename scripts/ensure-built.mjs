/** Builds what an install without scripts has not built. */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const built = ['src/generated/prisma/client.ts', 'dist/main.js', 'web/graphiql/dist/index.html'];
if (!built.every((path) => existsSync(root + path))) {
  const { status } = spawnSync('npm', ['run', '--silent', 'build'], {
    cwd: root,
    stdio: 'inherit',
    shell: true,
  });
  process.exit(status ?? 1);
}
