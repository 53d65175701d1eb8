import { getNamedType, isLeafType, isObjectType } from 'graphql';
import { nameOf, type Asked } from './asking.js';
import { CLASS_OF, type Class } from './classes.js';
import { schema, withoutAlias } from './ways.js';
import { seesEverybody, type World } from './world.js';

/** The id of a person, or one of the values below. */
type Owner = string;
const PUBLIC: Owner = 'everyone';
const ADMINISTRATORS: Owner = 'administrators';
/** The person who signed up with the request itself. */
const NEWCOMER: Owner = 'newcomer';

export const isRegistration = ({ root }: Asked): boolean => root.field === 'Mutation.register';

/** The owner of each object, by the id of the object. */
export type Owners = ReadonlyMap<string, Owner>;

export async function ownersOf({ talebank: { database } }: World): Promise<Owners> {
  const rows = await database.sql<{ id: string; owner: string }>(`
    SELECT id::text, id::text AS owner FROM users
    UNION ALL SELECT id::text, user_id::text FROM sessions
    UNION ALL SELECT id::text, user_id::text FROM audios
    UNION ALL SELECT id::text, user_id::text FROM bookmarks
    UNION ALL SELECT id::text, user_id::text FROM credit_lots
    UNION ALL SELECT id::text, user_id::text FROM credit_transactions
    UNION ALL SELECT id::text, '${ADMINISTRATORS}' FROM audit_entries
    UNION ALL SELECT id::text, '${ADMINISTRATORS}' FROM grant_proposals
    UNION ALL SELECT id::text, CASE WHEN published THEN '${PUBLIC}' ELSE '${ADMINISTRATORS}' END FROM stories
    UNION ALL SELECT id::text, '${PUBLIC}' FROM voices`);
  return new Map(rows.map(({ id, owner }) => [id, owner]));
}

/** A value in an answer. */
export interface Seen {
  readonly asked: Asked;
  readonly path: readonly (string | number)[];
  /** `Type.field` */
  readonly field: string;
  readonly kind: Class;
  readonly value: unknown;
  /** The owner of the object that has the field. */
  readonly owner: Owner;
  /** The owner of the object that the field leads to; null for a leaf. */
  readonly leadsTo: Owner | null;
}

type Data = Readonly<Record<string, unknown>>;
const isObject = (value: unknown): value is Data =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** The viewer as an owner. A stranger owns nothing. */
function viewerOf({ people }: World, { viewer }: Asked): string {
  return viewer === 'stranger' ? 'stranger' : people[viewer].id;
}

/** Every value of an answer with its owner. An object without an id has the owner of the object that contains it. */
export function seenIn(world: World, owners: Owners, asked: Asked): Seen[] {
  const seen: Seen[] = [];
  const { root } = asked;
  const whose = {
    public: PUBLIC,
    admin: ADMINISTRATORS,
    viewer: isRegistration(asked) ? NEWCOMER : viewerOf(world, asked),
  };
  const ownerOf = (object: Data, inherited: Owner): Owner =>
    (typeof object['id'] === 'string' ? owners.get(object['id']) : undefined) ?? inherited;
  const walk = (object: Data, owner: Owner, path: readonly (string | number)[]): void => {
    const type = schema.getType(String(object['__typename']));
    if (!isObjectType(type)) return;
    for (const [alias, value] of Object.entries(object)) {
      const name = withoutAlias(alias);
      const definition = type.getFields()[name];
      if (definition === undefined) continue;
      const field = `${type.name}.${name}`;
      const here = [...path, alias];
      const values = Array.isArray(value) ? value : [value];
      const kind = CLASS_OF.get(field);
      if (kind === undefined) continue;
      const common = { asked, field, kind, owner };
      if (value === null || isLeafType(getNamedType(definition.type))) {
        seen.push({ ...common, path: here, value, leadsTo: null });
        continue;
      }
      for (const [at, one] of values.entries()) {
        if (!isObject(one)) continue;
        const leadsTo = ownerOf(one, owner);
        const place = Array.isArray(value) ? [...here, at] : here;
        seen.push({ ...common, path: place, value: null, leadsTo });
        walk(one, leadsTo, place);
      }
    }
  };
  const value = asked.data?.[nameOf(root)];
  for (const [at, one] of (Array.isArray(value) ? value : [value]).entries())
    if (isObject(one))
      walk(one, ownerOf(one, whose[root.whose]), [
        nameOf(root),
        ...(Array.isArray(value) ? [at] : []),
      ]);
  return seen;
}

/** Whether an owner signed up during the test, with `register`. */
export const isNewcomer = (
  { people }: Pick<World, 'people'>,
  owners: Owners,
  owner: Owner,
): boolean =>
  owner === NEWCOMER ||
  (owners.get(owner) === owner && !Object.values(people).some(({ id }) => id === owner));

/** Whether the viewer may have what belongs to this owner. */
function isFor(world: World, owners: Owners, { kind, asked }: Seen, owner: Owner): boolean {
  if (owner === PUBLIC || owner === viewerOf(world, asked)) return true;
  // A new person sees their own account in the answer of `register`, whatever token came along.
  if (isRegistration(asked) && isNewcomer(world, owners, owner)) return true;
  return kind !== 'viewer' && seesEverybody(asked.viewer);
}

/** Why a viewer must not have a value; null when the viewer may have it. */
export function complaintOf(world: World, owners: Owners, seen: Seen): string | null {
  const { asked, kind, field, path, owner, leadsTo, value } = seen;
  const at = `${asked.viewer} got ${field} at ${path.join('.')} by ${asked.root.label}`;
  if (value === null && leadsTo === null) return null;
  const isForAdministrators = kind === 'admin' || owner === ADMINISTRATORS;
  if (isForAdministrators && !seesEverybody(asked.viewer))
    return `${at}, and it is for administrators and auditors only`;
  if (kind !== 'public' && kind !== 'stranger' && !isFor(world, owners, seen, owner))
    return `${at}, and it belongs to ${owner}`;
  if (leadsTo !== null && kind !== 'stranger' && !isFor(world, owners, seen, leadsTo))
    return `${at}, and it leads to what belongs to ${leadsTo}`;
  return null;
}

const sorted = (texts: readonly string[]): string[] => [...new Set(texts)].sort();
const namesOf = (path: readonly (string | number)[]): string =>
  path.filter((step) => typeof step === 'string').join('.');

/** The paths at which answers contain a stranger, by viewer, root field and the names of the fields on the path. */
export type Strangers = ReadonlyMap<string, readonly (readonly (string | number)[])[]>;

const strangerKey = ({ viewer, root }: Asked, names: string): string =>
  `${viewer} ${root.label} ${names}`;

export function strangersOf(seen: readonly Seen[]): Strangers {
  const strangers = new Map<string, (readonly (string | number)[])[]>();
  for (const { asked, kind, leadsTo, path } of seen) {
    if (kind !== 'stranger' || leadsTo === null) continue;
    const key = strangerKey(asked, namesOf(path));
    strangers.set(key, [...(strangers.get(key) ?? []), path]);
  }
  return strangers;
}

/** The errors of an answer with their paths, or `null` when the root field is null without an error. */
export function outcomeOf({ root, status, data, errors }: Asked): string[] {
  const value = data?.[nameOf(root)] ?? null;
  const refusals = errors.map(({ message, path, extensions: { code } }) =>
    path === undefined
      ? `${code}: ${message}`
      : `${code} at ${path.map((step) => withoutAlias(String(step))).join('.')}`,
  );
  if (data === null && refusals.length === 0) return [`status ${String(status)}`];
  if (value === null) return sorted(refusals.length === 0 ? ['null'] : refusals);
  const isOther = root.type !== undefined && isObject(value) && value['__typename'] !== root.type;
  return sorted(isOther ? [...refusals, String(value['__typename'])] : refusals);
}

/** The outcome that a document must have: empty when the viewer may have everything in it. */
export function outcomeExpected(asked: Asked, strangers: Strangers): string[] {
  const { root, viewer, questions } = asked;
  const verdict = root.expected[viewer];
  if (verdict === 'null') return ['null'];
  if (verdict !== 'value') return [`${verdict} at ${nameOf(root)}`];
  return sorted(
    questions.flatMap(({ steps, barrier }) => {
      if (barrier === null) return [];
      const way = [nameOf(root), ...steps.slice(0, barrier.at + 1)].join('.');
      const met = strangers.get(strangerKey(asked, way)) ?? [];
      return met.map((path) => `FORBIDDEN at ${[...path, barrier.field].join('.')}`);
    }),
  );
}
