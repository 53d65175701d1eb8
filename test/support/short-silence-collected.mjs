// The same, and collects garbage when the test says so, and twice a second from when the silence is short, so that the memory
// in use is the memory that is held. Collecting while all streams fill would take most of the processor time of the test.
import './short-silence.mjs';
import { setInterval } from 'node:timers';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc');
process.on('message', (message) => {
  if (message === 'shorten the silence') setInterval(collect, 500).unref();
  collect();
  process.send('collected');
});
