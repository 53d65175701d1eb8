import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from '@jest/globals';
import { createLane, type Lane } from '../../src/http/admission/lane.js';

/** Lets all that can happen at once happen. */
const settled = (): Promise<void> => sleep(0);

/** Takes turns that last a moment, and notes whose they were. */
async function take(lane: Lane, names: readonly string[], order: string[]): Promise<void> {
  await Promise.all(
    names.map(async (name) => {
      const end = await lane.enter(name.slice(0, 1));
      order.push(name);
      await settled();
      end?.();
    }),
  );
}

test('one request runs at a time, and addresses alternate', async () => {
  const order: string[] = [];
  await take(createLane('when another waits'), ['a1', 'a2', 'a3', 'a4', 'b1', 'b2', 'c1'], order);
  expect(order).toEqual(['a1', 'a2', 'b1', 'c1', 'a3', 'b2', 'a4']);
});

test('a second request waits until the first ends, which it may do more than once', async () => {
  const lane = createLane('when another waits');
  const end = await lane.enter('a');
  let entered = 0;
  const others = ['a', 'b'].map(async (address) => {
    const endOther = await lane.enter(address);
    entered += 1;
    return endOther;
  });
  await settled();
  expect(entered).toBe(0);
  end?.();
  end?.();
  (await others[0])?.();
  await others[1];
  expect(entered).toBe(2);
});

test.each([
  ['always', false, true],
  ['when another waits', false, false],
  ['when another waits', true, true],
  ['always', true, true],
] as const)('a pause %s, while another one waits: %s', async (pause, waits, isLong) => {
  const lane = createLane(pause);
  const end = await lane.enter('a');
  const startedAt = performance.now();
  let hasTurn = false;
  const enter = async (): Promise<void> => {
    (await lane.enter('b'))?.();
    hasTurn = true;
  };
  const other = waits ? enter() : null;
  await sleep(60);
  const turnMs = performance.now() - startedAt;
  end?.();
  const entered = other ?? enter();
  // Without a pause the turn comes before any timer.
  await new Promise<void>((resolve) => {
    process.nextTick(resolve);
  });
  expect(hasTurn).toBe(!isLong);
  await entered;
  const pauseMs = performance.now() - startedAt - turnMs;
  if (isLong) expect(pauseMs).toBeGreaterThanOrEqual(1.9 * turnMs);
});

test('those that wait are bounded in number, for each address and in all, and in time', async () => {
  const lane = createLane('when another waits', { addressMax: 2, allMax: 3, waitMsMax: 50 });
  const end = await lane.enter('a');
  const waiting = ['a', 'a', 'b'].map((address) => lane.enter(address));
  expect(await lane.enter('a')).toBeNull();
  expect(await lane.enter('c')).toBeNull();
  expect(await Promise.all(waiting)).toEqual([null, null, null]);
  // Those that gave up take no turn.
  end?.();
  expect(await lane.enter('c')).not.toBeNull();
});
