// Loaded before the server (node --import): arms one point, named by CRASH_AT, from its CRASH_HIT-th passing on.
import { readFileSync } from 'node:fs';
import { registerHooks } from 'node:module';
import { fileURLToPath } from 'node:url';
import { POINTS, withPoint } from './points.mjs';

const name = process.env.CRASH_AT ?? '';
const url = new URL(`../../dist/${POINTS[name].file}`, import.meta.url).href;
let left = Number(process.env.CRASH_HIT ?? 1);

registerHooks({
  // The file with the point is loaded as such only when the server is not bundled.
  resolve: (specifier, context, next) =>
    next(specifier === './bundle/main.js' ? './main.unbundled.js' : specifier, context),
  load: (wanted, context, next) => {
    if (wanted !== url) return next(wanted, context);
    const source = withPoint(readFileSync(fileURLToPath(url), 'utf8'), name);
    return { format: 'module', shortCircuit: true, source };
  },
});

/** Tells whoever has started this process, and waits: for its end, or to be told to go on. */
globalThis.reachCrashPoint = async () => {
  left -= 1;
  if (left !== 0) return;
  await new Promise((resolve) => {
    process.once('message', resolve);
    process.send?.({ reached: name });
  });
};
