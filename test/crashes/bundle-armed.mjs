// Bundles the server with all points in it: node test/crashes/bundle-armed.mjs <folder>
// A start of the bundle takes two thirds of the processor time of a start from single files.
import { relative, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { bundleInto, unbundled } from '../../scripts/bundle.mjs';
import { POINTS, withPoint } from './points.mjs';

const DIST = fileURLToPath(new URL('../../dist', import.meta.url));
const [, , folder = ''] = process.argv;
const missing = new Set(Object.keys(POINTS));

const points = {
  name: 'points',
  transform(code, path) {
    const file = relative(DIST, path).split(sep).join('/');
    const names = Object.keys(POINTS).filter((name) => POINTS[name].file === file);
    if (names.length === 0) return null;
    for (const name of names) missing.delete(name);
    return names.reduce(withPoint, code);
  },
};

await bundleInto(folder, { main: unbundled('main') }, [points]);
if (missing.size > 0)
  throw new Error(`The server does not load the points ${[...missing].join(', ')}.`);
