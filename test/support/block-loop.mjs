// Blocks the event loop when the test says so: for good, for so many milliseconds, or by a log that nothing reads.
import { writeSync } from 'node:fs';

process.on('message', (message) => {
  while (message === 'fill') {
    try {
      writeSync(1, `${'x'.repeat(1000)}\n`);
    } catch (error) {
      // The pipe is full, and does not block.
      if (error.code !== 'EAGAIN') throw error;
    }
  }
  const untilMs = message === 'block' ? Infinity : Date.now() + Number(message);
  while (Date.now() < untilMs);
});
process.channel?.unref();
