/** What decides what time it is for a process: the zone, and a library that moves the clock. */
const CLOCK = ['TZ', 'LD_PRELOAD', 'MOVED_CLOCK_SECONDS'];

/**
 * The part of this process's environment that gives another process the same clock and the same zone. Processes of
 * the tests get no other variables, because a server must not depend on what a developer has set.
 */
export const machineClock = () =>
  Object.fromEntries(
    Object.entries(process.env).filter(
      ([name, value]) => CLOCK.includes(name) && value !== undefined,
    ),
  );

/**
 * A flag of V8 that can also be set in a running process. Without it, V8 optimises the WebAssembly of Prisma's query
 * compiler in each of more than two hundred processes, which takes a quarter of the processor time of a start. With this
 * budget, it optimises only what runs for long, for example the MP3 encoder.
 */
export const WASM_FLAG = '--wasm-tiering-budget=100000000';

/**
 * Flags for the server processes of the tests. Garbage is collected by the main thread alone, and new objects have their
 * 16 MB, the most that V8 gives them by default, from the start. This takes a tenth of the processor time off a start,
 * because the collector runs less often and does not wake other threads.
 */
export const V8_FLAGS = [WASM_FLAG, '--min-semi-space-size=16', '--single-threaded-gc'];
