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
 * Flags for the server processes of the tests. Without them, V8 optimises the WebAssembly of Prisma's query compiler in
 * each of more than two hundred processes, which takes a quarter of the processor time of a start. With this budget, it
 * optimises only what runs for long, for example the MP3 encoder.
 */
export const V8_FLAGS = ['--wasm-tiering-budget=100000000'];
