import { setTimeout as sleep } from 'node:timers/promises';
import pMap from 'p-map';
import { administrator, ask, loadOfMachine, newListener, startProduct } from './product.ts';
import type { Person, Product } from './product.ts';
import { englishVoice, newStory, synthesize } from './stories.ts';
import { print } from './support.ts';

const USERS = 50;
/** As many as the points of a new account. */
const EACH = 10;
const LENGTH = 200;
const AT_ONCE = 16;
const LOOK_EVERY_MS = 250;

/** Many narrations that wait for each other: all are made, and every point is where it belongs. */
export async function benchQueued(): Promise<void> {
  print(`\n${String(USERS * EACH)} narrations of ${String(USERS)} listeners, asked for at once`);
  const product = await startProduct();
  const { url } = product;
  try {
    const admin = await administrator(product);
    const voiceId = await englishVoice(url);
    const numbers = Array.from({ length: USERS * EACH }, (_, number) => number);
    const listeners = await pMap(numbers.slice(0, USERS), () => newListener(url), {
      concurrency: 2,
    });
    const stories = await pMap(numbers, () => newStory(url, admin, LENGTH), {
      concurrency: AT_ONCE,
    });
    const startedAt = performance.now();
    const seconds = (): number => (performance.now() - startedAt) / 1000;
    await Promise.all(
      listeners.map(async (listener, index) => {
        for (const storyId of stories.slice(index * EACH, (index + 1) * EACH))
          await synthesize(url, listener, storyId, voiceId);
      }),
    );
    const accepted = seconds();
    await untilSettled(product, numbers.length);
    const settled = seconds();
    print(
      `  accepted                                    ${(numbers.length / accepted).toFixed(0)}/s (${accepted.toFixed(1)} s)`,
    );
    print(
      `  made                                        ${(numbers.length / settled).toFixed(1)}/s (${settled.toFixed(1)} s)`,
    );
    print(`  ledger                                      ${await ledgerOf(url, admin, listeners)}`);
    print(`  load of the machine after                   ${await loadOfMachine()}`);
  } finally {
    await product.stop();
  }
}

/** Until so many narrations have become something, by the server's own count. */
async function untilSettled({ url }: Product, count: number): Promise<void> {
  for (let settled = 0; settled < count;) {
    await sleep(LOOK_EVERY_MS);
    const text = await (await fetch(`${url}/metrics`)).text();
    settled = [...text.matchAll(/^talebank_narrations_total\{.*\} (\d+)$/gm)].reduce(
      (total, [, value]) => total + Number(value),
      0,
    );
  }
}

interface Wallet {
  readonly credits: { readonly balance: number };
  readonly audio: { readonly nodes: readonly { status: string; creditsCharged: number }[] };
}

/** Checks that every user has paid for their narrations and for nothing else. @throws when not */
async function ledgerOf(url: string, admin: Person, listeners: readonly Person[]): Promise<string> {
  const wallets = await pMap(
    listeners,
    async ({ token }) =>
      (
        await ask<{ me: Wallet }>(
          url,
          '{ me { credits { balance } audio(first: 100) { nodes { status creditsCharged } } } }',
          {},
          token,
        )
      ).me,
    { concurrency: AT_ONCE },
  );
  const audio = wallets.flatMap((wallet) => wallet.audio.nodes);
  const paid = audio.filter(
    ({ status, creditsCharged }) => status === 'READY' && creditsCharged === 1,
  );
  const left = wallets.reduce((total, { credits }) => total + credits.balance, 0);
  if (paid.length !== USERS * EACH || left !== 0)
    throw new Error(
      `${String(paid.length)} are READY and paid for, ${String(left)} points are left.`,
    );
  const { ledgerHealth } = await ask<{ ledgerHealth: { ok: boolean; accounts: number } }>(
    url,
    '{ ledgerHealth { ok accounts } }',
    {},
    admin.token,
  );
  if (!ledgerHealth.ok) throw new Error('The ledger is not sound.');
  return `sound: ${String(ledgerHealth.accounts)} accounts, all ${String(paid.length)} READY and paid for once`;
}
