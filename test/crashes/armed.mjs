// Loaded before the server (node --import): arms one point, named by CRASH_AT, from its CRASH_HIT-th passing on. The server
// is the bundle in CRASH_BUNDLE, which has all points (bundle-armed.mjs).
import { flushCompileCache, registerHooks } from 'node:module';

const armed = process.env.CRASH_AT ?? '';
const url = process.env.CRASH_BUNDLE ?? '';
let left = Number(process.env.CRASH_HIT ?? 1);

registerHooks({
  resolve: (specifier, context, next) =>
    specifier === './bundle/main.js' ? { url, shortCircuit: true } : next(specifier, context),
});

/** Tells the process that started this one, and waits to be killed or to be told to go on. */
globalThis.reachCrashPoint = async (name) => {
  if (name !== armed) return;
  left -= 1;
  if (left !== 0) return;
  // A killed process would keep nothing of what it has compiled, and every process is killed.
  flushCompileCache();
  await new Promise((resolve) => {
    process.once('message', resolve);
    process.send?.({ reached: name });
  });
};
