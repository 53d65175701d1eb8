import { sameOrigin } from '../api/addresses.js';

const RECORDINGS = 'talebank-recordings';

/** Recordings are kept under their path, because the rest of the address changes with each signature. */
const pathOf = (address: string): string => sameOrigin(address).split('?')[0] ?? '';

export const canKeep = (): boolean => 'caches' in globalThis && 'serviceWorker' in navigator;

export async function isKept(address: string): Promise<boolean> {
  const cache = await caches.open(RECORDINGS);
  return (await cache.match(pathOf(address))) !== undefined;
}

/** Keeps a recording on this device. Rejects when the storage is full or the connection is lost. */
export async function keep(address: string): Promise<void> {
  const response = await fetch(sameOrigin(address));
  if (response.status !== 200) throw new Error(`the recording answered ${response.status}`);
  const cache = await caches.open(RECORDINGS);
  await cache.put(pathOf(address), response);
}

export async function drop(address: string): Promise<void> {
  const cache = await caches.open(RECORDINGS);
  await cache.delete(pathOf(address));
}
