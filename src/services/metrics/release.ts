import { readFileSync } from 'node:fs';
import { propertyOf } from '../../domain/objects.js';

let version: string | undefined;

/** The version of this release, from package.json. */
export function release(): string {
  version ??= readVersion();
  return version;
}

function readVersion(): string {
  const manifest = readFileSync(new URL('../../../package.json', import.meta.url), 'utf8');
  return String(propertyOf(JSON.parse(manifest), 'version'));
}
