import { ask, execute } from '../client.js';
import {
  AddBookmark,
  CancelAudio,
  Login,
  Narrate,
  RefundAudio,
  Register,
  ReportListening,
  SetFavourite,
  SuspendUser,
} from '../operations.js';
import {
  administrator,
  englishVoice,
  grantTo,
  newListener,
  newStory,
  type Person,
} from '../people.js';
import { ADMIN, type Talebank } from '../talebank.js';
import {
  RevokeSession,
  RunMaintenance,
  SetUserRole,
  SignedInDevices,
  UpdateProfile,
} from '../operations.js';

export const LISTENERS = ['ann', 'ben', 'sue'] as const;
export type Listener = (typeof LISTENERS)[number];
/** `sue` is suspended. */
export const VIEWERS = ['stranger', ...LISTENERS, 'auditor', 'administrator'] as const;
export type Viewer = (typeof VIEWERS)[number];
/** Whether the viewer may read the objects of others. */
export const seesEverybody = (viewer: Viewer): boolean =>
  viewer === 'auditor' || viewer === 'administrator';

export const PASSWORD = 'a good password';
/** Part of every listener's address, so that the list of users can be limited to them. */
export const MAIL_PART = 'path-';
const DAY_MS = 86_400_000;
/** Points that are as good as a name: no other number is the same. */
const POINTS: Readonly<Record<Listener | 'auditor' | 'administrator', number>> = {
  ann: 211_391,
  ben: 435_707,
  sue: 619_117,
  auditor: 704_269,
  administrator: 872_563,
};

/** Ids of what belongs to one person, one of each type. */
export interface Things {
  readonly User: string;
  readonly Session: string;
  readonly Audio: string;
  readonly CreditLot: string;
  readonly CreditTransaction: string;
  readonly AuditEntry: string;
  readonly cancelledAudio: string;
}

export interface World {
  readonly talebank: Talebank;
  readonly people: Readonly<Record<Exclude<Viewer, 'stranger'>, Person>>;
  readonly things: Readonly<Record<Listener, Things>>;
  readonly voiceId: string;
  /** Narrated for everyone. */
  readonly storyId: string;
  /** Never narrated. */
  readonly freshStoryId: string;
  /** Not published. */
  readonly draftId: string;
  /** Proposals of a grant to ann. A repeated decision of the two decided ones changes nothing. */
  readonly proposals: Readonly<Record<'pending' | 'approved' | 'declined', string>>;
}

/** The key with which the narration of `storyId` was asked for first, so that asking again gives its charge. */
export const NARRATION_KEY = 'the-first-narration';
/** The key of a bulk grant that can be revoked without harm, because it granted nothing. */
export const EMPTY_GRANT_KEY = 'an-empty-grant';

/** What a device says of itself: nothing that another person's device says. */
const headersOf = (name: Listener, device: number): Record<string, string> => ({
  'user-agent': `Browser of ${name}, device ${String(device)}`,
  'x-forwarded-for': `203.0.113.${String(LISTENERS.indexOf(name) * 10 + device)}`,
});

async function newPerson(url: string, name: Listener): Promise<Person> {
  const email = `${MAIL_PART}${name}@example.com`;
  const input = { email, password: PASSWORD };
  const registered = await execute(
    url,
    Register,
    { input: { ...input, displayName: `Private name of ${name}`, deviceName: `Phone of ${name}` } },
    { headers: headersOf(name, 1) },
  );
  const signedIn = await execute(
    url,
    Login,
    { input: { ...input, deviceName: `Tablet of ${name}` } },
    { headers: headersOf(name, 2) },
  );
  const { login } = signedIn.data ?? {};
  if (login === undefined || registered.data === null)
    throw new Error('The listener could not sign up.');
  return {
    id: login.user.id,
    email,
    token: registered.data.register.accessToken,
    refreshToken: login.refreshToken ?? '',
  };
}

async function narrate(
  { url }: Talebank,
  { token }: Person,
  storyId: string,
  voiceId: string,
): Promise<string> {
  const input = { storyId, voiceId, idempotencyKey: `${NARRATION_KEY}-${storyId}` };
  const { synthesizeAudio } = await ask(url, Narrate, { input }, token);
  return synthesizeAudio.audio.id;
}

interface Stories {
  readonly voiceId: string;
  readonly kept: string;
  readonly cancelled: string;
  readonly refunded: string;
}

/** A narration that is paid for with points which lapse before it is cancelled, so that a lot makes good for them. */
async function cancelledAudio(
  { talebank, admin }: { talebank: Talebank; admin: Person },
  person: Person,
  { cancelled, voiceId }: Stories,
): Promise<() => Promise<string>> {
  const { url, database } = talebank;
  const expiresAt = database.ledgerTime(DAY_MS).toISOString();
  await grantTo(url, admin, person, { amount: 1, source: 'EVENT', expiresAt });
  const id = await narrate(talebank, person, cancelled, voiceId);
  return async () => {
    await ask(url, CancelAudio, { id }, person.token);
    return id;
  };
}

/** As a worker leaves a narration, with a sentence and its words, because the server has no worker. */
async function finish({ database }: Talebank, audioId: string): Promise<void> {
  const hash = 'f'.repeat(64);
  await database.sql(
    `INSERT INTO renditions (hash, duration_ms, length_bytes) VALUES ($1, 1000, 10) ON CONFLICT DO NOTHING`,
    [hash],
  );
  await database.sql(
    `INSERT INTO rendition_timelines VALUES
       ($1, 1000, 'a voice', 'en', 60, ledger_now(), ARRAY['[0, 12, 0, 1000, [0, 2, 60]]'::json])
     ON CONFLICT DO NOTHING`,
    [hash],
  );
  await database.sql(
    `UPDATE audios SET status = 'READY', progress = 1, rendition_hash = $2, duration_ms = 1000,
       length_bytes = 10, ready_at = ledger_now() WHERE id = $1`,
    [audioId, hash],
  );
}

async function thingsOf(
  { talebank, admin }: { talebank: Talebank; admin: Person },
  person: Person,
  cancelledAudioId: string,
  { kept, refunded, voiceId }: Stories,
): Promise<Things> {
  const { url, database } = talebank;
  await narrate(talebank, person, kept, voiceId);
  const Audio = await narrate(talebank, person, refunded, voiceId);
  const at = database.ledgerTime().toISOString();
  await ask(url, ReportListening, { input: { audioId: Audio, positionMs: 1, at } }, person.token);
  const note = `A note of ${person.email}`;
  await ask(url, AddBookmark, { audioId: Audio, positionMs: 1, note }, person.token);
  await ask(url, SetFavourite, { storyId: kept, favourite: true }, person.token);
  const reason = `A reason of ${person.email}`;
  await ask(url, RefundAudio, { input: { audioId: Audio, reason } }, admin.token);
  await finish(talebank, Audio);
  const { me } = await ask(url, SignedInDevices, {}, person.token);
  const idOf = async (statement: string): Promise<string> =>
    (await database.sql<{ id: string }>(statement, [person.id]))[0]?.id ?? '';
  const Session = me?.sessions.find(({ current }) => current)?.id ?? '';
  // An audit entry about themselves, and still not theirs to read.
  const lost = await ask(url, Login, { input: { email: person.email, password: PASSWORD } });
  const devices = await ask(url, SignedInDevices, {}, lost.login.accessToken);
  const id = devices.me?.sessions.find(({ current }) => current)?.id ?? '';
  await ask(url, RevokeSession, { id }, person.token);
  return {
    User: person.id,
    Session,
    Audio,
    CreditLot: await idOf(
      'SELECT id FROM credit_lots WHERE user_id = $1 AND parent_lot_id IS NOT NULL',
    ),
    CreditTransaction: await idOf(
      `SELECT id FROM credit_transactions WHERE user_id = $1 AND type = 'REFUND' AND actor_id IS NOT NULL`,
    ),
    AuditEntry: await idOf('SELECT id FROM audit_entries WHERE actor_id = $1'),
    cancelledAudio: cancelledAudioId,
  };
}

/** Inserts a pending, an approved and a declined proposal. */
async function proposalsOf(
  { database }: Talebank,
  { userId, proposerId, deciderId }: Record<'userId' | 'proposerId' | 'deciderId', string>,
): Promise<World['proposals']> {
  const propose = async (decision: 'APPROVED' | 'DECLINED' | null): Promise<string> => {
    const [row] = await database.sql<{ id: string }>(
      `INSERT INTO grant_proposals (id, command, natural_key, idempotency_key, request, request_hash, points, above,
         recipients, source, reason, user_id, proposer_id, proposed_at, lapses_at, decision, decider_id, decided_at,
         decision_reason)
       SELECT gen_random_uuid(), 'GRANT_CREDITS', key, key, '{}', sha256('proposed'), 2000, 1000, 1, 'ADD_ON',
         'A great present', $1, $2, now, now + interval '7 days', $3::grant_decision,
         CASE WHEN $3::grant_decision IS NOT NULL THEN $4::uuid END, CASE WHEN $3::grant_decision IS NOT NULL THEN now END,
         CASE WHEN $3::grant_decision IS NOT NULL THEN 'Considered' END
       FROM (SELECT ledger_now() AS now, concat('proposed-', $3::grant_decision) AS key) proposed RETURNING id`,
      [userId, proposerId, decision, deciderId],
    );
    return row?.id ?? '';
  };
  return {
    pending: await propose(null),
    approved: await propose('APPROVED'),
    declined: await propose('DECLINED'),
  };
}

/** Three listeners with one object of each type; the last step suspends one of them. */
export async function makeWorld(talebank: Talebank): Promise<World> {
  const { url, database } = talebank;
  const admin = await administrator(url);
  await ask(url, UpdateProfile, { displayName: 'The Librarian' }, admin.token);
  const voiceId = await englishVoice(url);
  const [kept, cancelled, refunded, fresh] = [
    await newStory(url, admin, { tags: ['night'], ageFrom: 3 }),
    await newStory(url, admin),
    await newStory(url, admin),
    await newStory(url, admin),
  ];
  const draft = await newStory(url, admin, { title: 'An unpublished tale', published: false });
  const stories = { voiceId, kept: kept.id, cancelled: cancelled.id, refunded: refunded.id };
  const people: Record<string, Person> = {};
  const cancel: Record<string, () => Promise<string>> = {};
  for (const name of LISTENERS) {
    const person = await newPerson(url, name);
    people[name] = person;
    cancel[name] = await cancelledAudio({ talebank, admin }, person, stories);
  }
  await database.moveClock(2 * DAY_MS);
  const things: Record<string, Things> = {};
  for (const name of LISTENERS) {
    const person = people[name];
    if (person === undefined) continue;
    const reason = `A present for ${name}`;
    const id = (await cancel[name]?.()) ?? '';
    const price = { priceMinor: 999, currency: 'EUR' };
    await grantTo(url, admin, person, { amount: POINTS[name], reason, ...price });
    const expiresAt = database.ledgerTime(20 * DAY_MS).toISOString();
    await grantTo(url, admin, person, { amount: 3, source: 'EVENT', expiresAt, reason });
    things[name] = await thingsOf({ talebank, admin }, person, id, stories);
  }
  await grantTo(url, admin, admin, { amount: POINTS.administrator });
  await narrate(talebank, admin, kept.id, voiceId);
  const auditor = await newListener(url);
  await grantTo(url, admin, auditor, { amount: POINTS.auditor });
  await narrate(talebank, auditor, kept.id, voiceId);
  const role = { userId: auditor.id, role: 'AUDITOR' as const, reason: 'Audits' };
  await ask(url, SetUserRole, role, admin.token);
  // A grant to many as a process that was killed has left it.
  await database.sql(
    `INSERT INTO bulk_grants (idempotency_key, request_hash, actor_id, created_at, placed_order)
     VALUES ('interrupted', sha256('interrupted'), $1, ledger_now(), '{"reason":"For all","recipients":[]}')`,
    [admin.id],
  );
  // Finished ones; of the second, the revocation as a process that was killed has left it.
  await database.sql(
    `INSERT INTO bulk_grants (idempotency_key, request_hash, actor_id, created_at, result)
     SELECT key, sha256('finished'), $1, ledger_now(), '{"granted":0,"points":0,"skipped":[]}'
     FROM unnest(ARRAY[$2, 'half revoked']) AS g(key)`,
    [admin.id, EMPTY_GRANT_KEY],
  );
  await database.sql(
    `INSERT INTO bulk_revocations (idempotency_key, actor_id, reason, created_at, job_id)
     VALUES ('half revoked', $1, 'A mistake', ledger_now(), gen_random_uuid())`,
    [admin.id],
  );
  const proposals = await proposalsOf(talebank, {
    userId: people['ann']?.id ?? '',
    proposerId: auditor.id,
    deciderId: admin.id,
  });
  await database.sql(
    `INSERT INTO email_changes (user_id, old_email, new_email, asked_at, expires_at)
     SELECT id, email, 'new-' || email, now(), now() + interval '1 year' FROM users WHERE id = ANY($1)`,
    [LISTENERS.map((name) => people[name]?.id)],
  );
  // A job that was given up.
  await database.sql(
    `INSERT INTO pgboss.job (name, state, data, output, retry_limit, retry_count, started_on, completed_on)
     VALUES ('fail-audio', 'failed', json_build_object('userId', $1::text, 'audioId', $2::text, 'attempt', 1),
       '{"message":"The database is gone."}', 2, 2, now(), now())`,
    [people['ann']?.id, things['ann']?.Audio],
  );
  // So that `ledgerHealth` has a last reconciliation.
  await ask(url, RunMaintenance, { task: 'RECONCILE_CREDITS' }, admin.token);
  await ask(url, RunMaintenance, { task: 'MAKE_NOTICES' }, admin.token);
  const sue = people['sue']?.id ?? '';
  await ask(url, SuspendUser, { userId: sue, reason: 'A suspension' }, admin.token);
  return {
    talebank,
    people: { ...people, auditor, administrator: admin } as World['people'],
    things: things as World['things'],
    voiceId,
    storyId: kept.id,
    freshStoryId: fresh.id,
    draftId: draft.id,
    proposals,
  };
}

export const credentialsOf = (
  { people }: World,
  viewer: Viewer,
): { email: string; password: string } => {
  if (viewer === 'stranger') return { email: 'unknown@example.com', password: PASSWORD };
  return viewer === 'administrator' ? ADMIN : { email: people[viewer].email, password: PASSWORD };
};
