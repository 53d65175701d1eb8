import { setFlagsFromString } from 'node:v8';

/**
 * How much garbage may collect before it is removed, in percent of what is in use. On a machine with much memory, V8
 * waits until the heap has several times its size, so that large requests would take hundreds of megabytes.
 */
const GARBAGE_PERCENT = 50;

setFlagsFromString(`--heap-growing-percent=${String(GARBAGE_PERCENT)}`);
