import pg from 'pg';

/** For at least this long, and at most twice as long, a wait counts as the longest one. */
const REMEMBERED_MS = 30_000;

type Done = (error?: unknown) => void;
type Connected = (error: Error | undefined, client: pg.PoolClient | undefined, done: Done) => void;

/** A pool that measures how long requests wait for a connection. */
export class MeasuredPool extends pg.Pool {
  /** Told of each wait when it ends, also of one that ends without a connection. */
  onWaited: (seconds: number) => void = () => undefined;
  /** The moments since when requests wait, in their order. */
  readonly #waiting = new Set<{ readonly since: number }>();
  #longest = 0;
  #longestBefore = 0;
  #rememberedSince = performance.now();

  override connect(): Promise<pg.PoolClient>;
  override connect(callback: Connected): void;
  override connect(callback?: Connected): Promise<pg.PoolClient> | undefined {
    const wait = { since: performance.now() };
    this.#waiting.add(wait);
    if (callback === undefined)
      return super.connect().finally(() => {
        this.#end(wait);
      });
    super.connect((error, client, done) => {
      this.#end(wait);
      callback(error, client, done);
    });
    return undefined;
  }

  /** The connections that are open or being opened and not idle. */
  get inUseCount(): number {
    return this.totalCount - this.idleCount;
  }

  /** The longest wait of the last half minute to minute, also of a request that still waits. */
  longestWaitSeconds(): number {
    this.#forgetOld();
    const [oldest] = this.#waiting;
    const current = oldest === undefined ? 0 : performance.now() - oldest.since;
    return Math.max(this.#longest, this.#longestBefore, current) / 1000;
  }

  #end(wait: { readonly since: number }): void {
    this.#waiting.delete(wait);
    const waitedMs = performance.now() - wait.since;
    this.#forgetOld();
    this.#longest = Math.max(this.#longest, waitedMs);
    this.onWaited(waitedMs / 1000);
  }

  #forgetOld(): void {
    const now = performance.now();
    const ageMs = now - this.#rememberedSince;
    if (ageMs < REMEMBERED_MS) return;
    this.#longestBefore = ageMs < 2 * REMEMBERED_MS ? this.#longest : 0;
    this.#longest = 0;
    this.#rememberedSince = now;
  }
}
