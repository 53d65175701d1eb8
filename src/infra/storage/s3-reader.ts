import { finished, Readable } from 'node:stream';

/**
 * The same bytes, in a stream that fails when the server sends nothing for `idleMs` while the consumer waits for bytes. A
 * consumer may pause for any time. Destroying the stream ends the connection to the server.
 */
export function readUnlessIdle(body: Readable, idleMs: number): Readable {
  let timer: NodeJS.Timeout | undefined;
  const stream = new Readable({
    read() {
      clearTimeout(timer);
      timer = setTimeout(() => {
        stream.destroy(new Error(`The storage sent nothing for ${String(idleMs)} ms.`));
      }, idleMs);
      body.resume();
    },
    destroy(error, done) {
      clearTimeout(timer);
      body.destroy();
      done(error);
    },
  });
  body.pause();
  body.on('data', (bytes: Buffer) => {
    clearTimeout(timer);
    if (!stream.push(bytes)) body.pause();
  });
  finished(body, { writable: false }, (error) => {
    clearTimeout(timer);
    if (error == null) stream.push(null);
    else stream.destroy(error);
  });
  return stream;
}
