import { readFileSync, realpathSync } from 'node:fs';
import { basename } from 'node:path';

/**
 * npm runs a script in a shell, and the shell does not forward the signals that npm sends to it. So `npm start`
 * replaces its shell with the server (`exec`), and the process stops when its npm has ended, by any signal. The second
 * half of the script is for Windows, which has no `exec`.
 */
const LOOK_EVERY_MS = 250;
const SHELLS: ReadonlySet<string> = new Set(['sh', 'dash', 'bash', 'ash', 'busybox', 'zsh', 'ksh']);

/**
 * Calls back when the npm that started this process has ended. This only applies to a process that a script of this
 * package has started, such as `npm start`. Under nohup, under a supervisor or in a container, the parent may end
 * without a meaning.
 * @param options.manifest the path of this package's package.json
 * @param options.scripts the names of the scripts that start this program
 */
export function watchNpm(options: {
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly manifest: string;
  readonly scripts: readonly string[];
  readonly onEnded: () => void;
}): void {
  if (!startedByNpm(options)) return;
  const parent = process.ppid;
  // npm is the parent, or the parent of the shell that it started.
  const shellParent = SHELLS.has(nameOf(parent)) ? parentOf(parent) : null;
  const timer = setInterval(() => {
    if (process.ppid === parent && (shellParent === null || parentOf(parent) === shellParent))
      return;
    clearInterval(timer);
    options.onEnded();
  }, LOOK_EVERY_MS).unref();
}

/**
 * Compares the manifest too, because a server that a script of another package starts inherits that script's variables.
 */
function startedByNpm({ environment, manifest, scripts }: Parameters<typeof watchNpm>[0]): boolean {
  const { npm_lifecycle_event: script = '', npm_package_json: ofScript = '' } = environment;
  if (!scripts.includes(script) || ofScript === '') return false;
  try {
    return realpathSync(ofScript) === realpathSync(manifest);
  } catch {
    return false;
  }
}

/** The name of a process. '' when the system does not tell. */
function nameOf(pid: number): string {
  try {
    return basename(readFileSync(`/proc/${String(pid)}/comm`, 'utf8').trim());
  } catch {
    return '';
  }
}

/** The parent of a process. Null when the system does not tell, or when there is no such process. */
function parentOf(pid: number): number | null {
  try {
    // proc(5): the program's name is in parentheses and may contain any characters.
    const text = readFileSync(`/proc/${String(pid)}/stat`, 'utf8');
    return Number(text.slice(text.lastIndexOf(')')).split(' ')[2]);
  } catch {
    return null;
  }
}
