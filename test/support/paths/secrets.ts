import type { Asked } from './asking.js';
import { isNewcomer, isRegistration, type Owners, type Seen } from './judging.js';
import { seesEverybody, type World } from './world.js';

/** Values that only one person has, as texts. */
export type Secrets = ReadonlyMap<string, ReadonlySet<string>>;

/** Shorter texts and smaller numbers prove nothing, because several people may have the same. */
const LETTERS_MIN = 8;
const NUMBER_MIN = 100_000;

/** Nor does a time, because two people may do something in the same second, or the address of the server itself. */
const SHARED = /^(?:\d{4}-\d\d-\d\dT[\d:.]+Z|127\.0\.0\.1)$/;

const isTelling = (value: unknown): value is string | number =>
  typeof value === 'string'
    ? value.length >= LETTERS_MIN && !SHARED.test(value)
    : typeof value === 'number' && value >= NUMBER_MIN;

/** What the database holds of each person, and of what only administrators see. */
const ROWS = `
  SELECT id AS owner, to_jsonb(u) - 'created_at' - 'updated_at' - 'email_verified_at' - 'suspended_at' AS row FROM users u
  UNION ALL SELECT user_id, jsonb_build_object('id', id, 'name', device_name, 'agent', user_agent, 'ip', ip_address) FROM sessions
  UNION ALL SELECT user_id, jsonb_build_object('old', old_email, 'new', new_email) FROM email_changes
  UNION ALL SELECT user_id, jsonb_build_object('id', id, 'email', email) FROM former_emails
  UNION ALL SELECT user_id, jsonb_build_object('id', id, 'granted', granted, 'remaining', remaining) FROM credit_lots
  UNION ALL SELECT user_id, jsonb_build_object('id', id, 'amount', amount, 'balance', balance_after, 'reason', reason,
    'key', idempotency_key, 'hash', encode(hash, 'hex')) FROM credit_transactions
  UNION ALL SELECT user_id, jsonb_build_object('id', id, 'job', job_id) FROM audios
  UNION ALL SELECT user_id, jsonb_build_object('id', id, 'note', note) FROM bookmarks
  UNION ALL SELECT NULL, jsonb_build_object('id', id) FROM audit_entries
  UNION ALL SELECT NULL, jsonb_build_object('id', id, 'key', idempotency_key, 'reason', reason,
    'decision', decision_reason) FROM grant_proposals
  UNION ALL SELECT NULL, jsonb_build_object('id', id, 'title', title, 'slug', slug) FROM stories WHERE NOT published`;

/** What is private of each person, and under '' what is for administrators. */
export async function secretsOf(
  { talebank: { database }, people }: World,
  seen: readonly Seen[],
): Promise<Secrets> {
  const secrets = new Map<string, Set<string>>();
  const keep = (owner: string, value: unknown): void => {
    if (!isTelling(value)) return;
    const kept = secrets.get(owner) ?? new Set();
    secrets.set(owner, kept.add(String(value)));
  };
  const { administrator } = people;
  const rows = await database.sql<{ owner: string | null; row: Record<string, unknown> }>(ROWS);
  for (const { owner, row } of rows)
    for (const [column, value] of Object.entries(row)) {
      // Both are public, because the administrator is the actor of other people's movements.
      const isPublic = owner === administrator.id && ['id', 'display_name'].includes(column);
      if (!isPublic || row['email'] === undefined) keep(owner ?? '', value);
    }
  // Cursors, signed addresses and all else that is made for the answer.
  for (const { asked, kind, owner, value } of seen)
    if (asked.viewer !== 'stranger' && people[asked.viewer].id === owner && kind !== 'public')
      keep(owner, value);
  return secrets;
}

/** What the viewer of an answer may see: their own, and what is public. */
export type Legitimate = (asked: Asked) => ReadonlySet<string>;

export function legitimateOf({ people }: World, owners: Owners, seen: readonly Seen[]): Legitimate {
  const shared = new Set<string>();
  const own = new Map<string, Set<string>>();
  const keyOf = (asked: Asked): string => (isRegistration(asked) ? 'registration' : asked.viewer);
  for (const { asked, owner, value, kind } of seen) {
    const isOwn = isRegistration(asked)
      ? isNewcomer({ people }, owners, owner)
      : asked.viewer !== 'stranger' && people[asked.viewer].id === owner;
    const key = keyOf(asked);
    if (owner === 'everyone' || kind === 'public') shared.add(String(value));
    else if (isOwn) own.set(key, (own.get(key) ?? new Set()).add(String(value)));
  }
  const all = new Map([...own].map(([key, values]) => [key, new Set([...values, ...shared])]));
  return (asked) => all.get(keyOf(asked)) ?? shared;
}

/** Every telling text and number in an answer, the words of longer texts among them. */
export function textsIn({ data, errors }: Asked): Set<string> {
  const texts = new Set<string>();
  const waiting: unknown[] = [data, errors];
  while (waiting.length > 0) {
    const value = waiting.pop();
    if (typeof value === 'object' && value !== null)
      waiting.push(...(Object.values(value) as unknown[]));
    if (!isTelling(value)) continue;
    const text = String(value);
    texts.add(text);
    for (const word of text.split(/[^\w@.-]+/)) texts.add(word);
  }
  return texts;
}

/** What a viewer got of others. */
export function leaksOf(
  world: World,
  asked: Asked,
  secrets: Secrets,
  legitimate: Legitimate,
): string[] {
  const { viewer, root } = asked;
  if (seesEverybody(viewer)) return [];
  const id = viewer === 'stranger' ? null : world.people[viewer].id;
  const own = legitimate(asked);
  const texts = [...textsIn(asked)].filter((text) => !own.has(text));
  return [...secrets].flatMap(([owner, values]) =>
    owner === id
      ? []
      : texts
          .filter((text) => values.has(text))
          .map((text) => `${viewer} got ${text} of ${owner} by ${root.label}`),
  );
}
