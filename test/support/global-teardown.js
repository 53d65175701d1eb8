import { rm } from 'node:fs/promises';

export default async function tearDown() {
  const { postgres, folder } = globalThis.talebankTestCluster;
  await postgres.close();
  await rm(folder, { recursive: true, force: true });
}
