/**
 * Reads regular expressions as JSON, [[source, flags], …], and writes how the time of each grows with the text:
 * 1 is linear, null exponential or unknown. A process of its own, because the analysis takes ten times as long inside
 * of the sandbox of a test.
 */
import { text } from 'node:stream/consumers';
import { check } from 'recheck';

/** Ten times as long as the slowest of them takes. */
const TIMEOUT_MS = 40_000;

const degreeOf = ({ status, complexity }) => {
  if (status === 'unknown' || complexity.type === 'exponential') return null;
  return complexity.type === 'polynomial' ? complexity.degree : 1;
};

const expressions = JSON.parse(await text(process.stdin));
const degrees = [];
for (const [source, flags] of expressions)
  degrees.push(degreeOf(await check(source, flags, { timeout: TIMEOUT_MS })));
process.stdout.write(JSON.stringify(degrees), () => process.exit(0));
