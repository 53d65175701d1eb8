import type { App } from '../app.js';

/** The texts of stories by their hash. */
export async function contentsByHash(
  app: App,
  hashes: readonly string[],
): Promise<Map<string, string>> {
  const rows = await app.db.storyText.findMany({ where: { hash: { in: [...hashes] } } });
  return new Map(rows.map(({ hash, content }) => [hash, content]));
}

/** The lengths of texts in Unicode code points, by their hash. */
export async function textLengthsByHash(
  app: App,
  hashes: readonly string[],
): Promise<Map<string, number>> {
  const rows = await app.db.storyText.findMany({
    where: { hash: { in: [...hashes] } },
    select: { hash: true, characterCount: true },
  });
  return new Map(rows.map(({ hash, characterCount }) => [hash, characterCount]));
}
