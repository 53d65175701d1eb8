/** The cookie is single-use: two tabs must not send the same one. */
export async function inTurn<Result>(work: () => Promise<Result>): Promise<Result> {
  if (!('locks' in navigator)) return work();
  return navigator.locks.request('talebank.refresh', async () => work());
}
