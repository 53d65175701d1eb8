import { Prisma } from '../../../infra/db.js';

/**
 * Common table expressions for the beginning of a WITH RECURSIVE statement. Reports read `priced_lots`, which has
 * all lots. A grace lot takes `price_minor` and `currency` from the lot at the start of its chain of parents. Every
 * other lot has its own. Both are null for free points. `priced_points` is the number of points that the price
 * covers. A grace lot replaces some of these points, so no part of a price counts twice.
 *
 * The parents of grace lots are looked up one by one, because grace lots are few. The paid grace lots are passed as
 * arrays, because the planner then expects few rows and hashes these instead of all lots. Scans the lots.
 * Index: credit_lots_pkey.
 */
export const PRICED_LOTS = Prisma.sql`
  descents AS (
    SELECT l.user_id, l.id, a.parent_lot_id, a.price_minor, a.currency, a.granted
    FROM credit_lots l CROSS JOIN LATERAL (
      SELECT * FROM credit_lots WHERE user_id = l.user_id AND id = l.parent_lot_id OFFSET 0
    ) a WHERE l.parent_lot_id IS NOT NULL
    UNION
    SELECT l.user_id, l.id, a.parent_lot_id, a.price_minor, a.currency, a.granted
    FROM descents l CROSS JOIN LATERAL (
      SELECT * FROM credit_lots WHERE user_id = l.user_id AND id = l.parent_lot_id OFFSET 0
    ) a WHERE l.parent_lot_id IS NOT NULL
  ), paid_grace AS MATERIALIZED (
    SELECT array_agg(user_id) AS users, array_agg(id) AS ids, array_agg(price_minor) AS prices,
      array_agg(currency) AS currencies, array_agg(granted) AS granted
    FROM descents WHERE price_minor IS NOT NULL
  ), priced_lots AS NOT MATERIALIZED (
    SELECT l.user_id, l.id, l.source, l.remaining, l.granted_at, l.expires_at, l.revoked_at, l.is_open,
      coalesce(l.price_minor, g.price_minor) AS price_minor, coalesce(l.currency, g.currency) AS currency,
      coalesce(g.granted, l.granted) AS priced_points
    FROM credit_lots l
    LEFT JOIN unnest((SELECT users FROM paid_grace), (SELECT ids FROM paid_grace), (SELECT prices FROM paid_grace),
      (SELECT currencies FROM paid_grace), (SELECT granted FROM paid_grace)
    ) AS g(user_id, id, price_minor, currency, granted)
      ON g.id = CASE WHEN l.parent_lot_id IS NOT NULL THEN l.id END AND g.user_id = l.user_id
  )`;

/** The share of a lot's price for some of its points, in minor units, rounded down to a whole number. */
export const valueOf = (lot: string, points: string): Prisma.Sql =>
  Prisma.raw(`${lot}.price_minor * (${points}) / ${lot}.priced_points`);
