/** Bytes that are counted for an address until they are released. */
export interface Hold {
  readonly address: string;
  readonly bytes: number;
  /** Ends the request that uses the bytes, to make room for others; null while it must not be ended. */
  cut: (() => void) | null;
  /** Idempotent. */
  release(): void;
}

export interface BudgetBounds {
  readonly addressBytesMax: number;
  readonly bytesMax: number;
}

/** The bytes of one kind of memory that client addresses hold, with a bound for each address and one for all. */
export interface Budget {
  bytes(): number;
  bytesOf(address: string): number;
  /** Whether this many more bytes are within both bounds. */
  fits(address: string, bytes: number): boolean;
  /** Counts the bytes, whether or not they fit. */
  hold(address: string, bytes: number, cut: (() => void) | null): Hold;
  /**
   * Counts the bytes if they fit into both bounds. For the bound for all, it cuts off holds of other addresses until they
   * fit: the address with the most bytes loses its oldest hold first.
   * @returns null when they are beyond the bound of the address, when the address itself would have the most bytes, or
   * when no hold can be cut off
   */
  tryHold(address: string, bytes: number, cut: (() => void) | null): Hold | null;
  /** Cuts off holds until bytes that are in memory already fit into the bound for all. Any address may lose holds. */
  makeRoomForExisting(bytes: number): void;
  /** Cuts off holds of the address until the bytes fit into its own bound, the oldest first. */
  makeRoomWithin(address: string, bytes: number): void;
  /** Sets the listener that is called after each release. */
  onRelease(listener: () => void): void;
}

interface Holder {
  bytes: number;
  readonly holds: Set<Hold>;
}

/** An empty budget with these bounds, in bytes. */
export function createBudget({ addressBytesMax, bytesMax }: BudgetBounds): Budget {
  const tally = createTally();
  const { bytesOf, hold } = tally;

  const fits = (address: string, bytes: number): boolean =>
    bytesOf(address) + bytes <= addressBytesMax && tally.bytes() + bytes <= bytesMax;

  /** @param bytesMin only addresses with more bytes than this lose holds */
  function takeRoom(bytes: number, bytesMin: () => number): boolean {
    while (tally.bytes() + bytes > bytesMax) {
      const greatest = greatestThatCanBeCut(tally.holders.values(), bytesMin());
      if (greatest === null) return false;
      cutOldest(greatest);
    }
    return true;
  }

  return {
    bytes: tally.bytes,
    bytesOf,
    fits,
    hold,
    tryHold: (address, bytes, cut) => {
      if (bytesOf(address) + bytes > addressBytesMax) return null;
      const hasRoom = takeRoom(bytes, () => bytesOf(address) + bytes);
      // What was cut off may have given its room to a request that waited.
      return hasRoom && fits(address, bytes) ? hold(address, bytes, cut) : null;
    },
    makeRoomForExisting: (bytes) => void takeRoom(bytes, () => 0),
    makeRoomWithin: (address, bytes) => {
      for (;;) {
        const holder = tally.holders.get(address);
        if (holder === undefined || holder.bytes + bytes <= addressBytesMax) return;
        if (!cutOldest(holder)) return;
      }
    },
    onRelease: tally.onRelease,
  };
}

interface Tally extends Pick<Budget, 'bytes' | 'bytesOf' | 'hold' | 'onRelease'> {
  /** Only the addresses that hold bytes at the moment. */
  readonly holders: ReadonlyMap<string, Holder>;
}

/** Counts bytes, without bounds. */
function createTally(): Tally {
  const holders = new Map<string, Holder>();
  let total = 0;
  let released = (): void => undefined;

  return {
    holders,
    bytes: () => total,
    bytesOf: (address) => holders.get(address)?.bytes ?? 0,
    hold: (address, bytes, cut) => {
      const holder = holders.get(address) ?? { bytes: 0, holds: new Set() };
      const own: Hold = {
        address,
        bytes,
        cut,
        release: () => {
          if (!holder.holds.delete(own)) return;
          holder.bytes -= bytes;
          total -= bytes;
          if (holder.holds.size === 0 && holders.get(address) === holder) holders.delete(address);
          released();
        },
      };
      holder.holds.add(own);
      holder.bytes += bytes;
      total += bytes;
      holders.set(address, holder);
      return own;
    },
    onRelease: (listener) => {
      released = listener;
    },
  };
}

/** @returns whether there was a hold to cut off */
function cutOldest({ holds }: Holder): boolean {
  for (const one of holds) {
    if (one.cut === null) continue;
    one.cut();
    one.release();
    return true;
  }
  return false;
}

const canBeCut = ({ holds }: Holder): boolean => [...holds].some(({ cut }) => cut !== null);

/** @returns the address with the most bytes of those that have more than `bytesMin` */
function greatestThatCanBeCut(holders: Iterable<Holder>, bytesMin: number): Holder | null {
  let greatest: Holder | null = null;
  for (const holder of holders)
    if (holder.bytes > (greatest?.bytes ?? bytesMin) && canBeCut(holder)) greatest = holder;
  return greatest;
}
