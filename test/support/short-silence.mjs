// Makes ten minutes of the minute after which a silent connection is closed, so that a slow machine has the time to fill all
// streams, and three seconds of it from when the test says so.
import { Socket } from 'node:net';

const MINUTE_MS = 60_000;
const LONG_MS = 600_000;
const SHORT_MS = 3_000;
const silent = new Set();
let isShort = false;

const { setTimeout } = Socket.prototype;
Socket.prototype.setTimeout = function (ms, ...rest) {
  if (ms !== MINUTE_MS) return setTimeout.call(this, ms, ...rest);
  silent.add(this);
  this.once('close', () => silent.delete(this));
  return setTimeout.call(this, isShort ? SHORT_MS : LONG_MS, ...rest);
};
process.on('message', (message) => {
  if (message !== 'shorten the silence') return;
  isShort = true;
  for (const socket of silent) setTimeout.call(socket, SHORT_MS);
});
// A channel to the test does not keep the process alive.
process.channel?.unref();
