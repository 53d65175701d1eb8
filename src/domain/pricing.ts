/**
 * The price of narrating a text, in points: one for each begun `unitSize` code points, but at least one. 0→1, 1→1,
 * 1000→1, 1001→2 with the unit size of 1000.
 */
export function priceOf(characterCount: number, unitSize: number): number {
  return Math.max(1, Math.ceil(characterCount / unitSize));
}
