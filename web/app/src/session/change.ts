import { failureOf, type Failure } from '../api/errors.js';
import { readStored, writeStored } from '../api/stored.js';
import { leave } from './leave.js';
import { refresh } from './refresh.js';
import { ChangePassword, DeleteAccount, Logout, plain } from './requests.js';
import { authorization, channel, grant, needsRefresh, session, SIGNING_OUT } from './state.js';
import { inTurn } from './turn.js';

interface WithToken {
  readonly fetchOptions: { readonly headers: Record<string, string> };
}

/**
 * Sends what ends or replaces the session. The event stream may tell of the end before the answer is here: a refresh
 * waits meanwhile, because it would send the old cookie and be refused, and the device would be signed out.
 */
async function changeSession<Result>(
  send: (context: WithToken) => Promise<Result>,
): Promise<Result> {
  if (needsRefresh()) await refresh();
  const headers = authorization();
  return inTurn(() => send({ fetchOptions: { headers } }));
}

/** Signs this device out, in all tabs. */
export const signOut = (): Promise<void> =>
  changeSession(async (context) => {
    const { error } = await plain.mutation(Logout, {}, context).toPromise();
    if (isUnanswered(failureOf(error))) writeStored(SIGNING_OUT, 'true');
    channel.postMessage({ kind: 'left', ended: false });
    await leave(false);
  });

const isUnanswered = (failure: Failure | null): boolean =>
  failure !== null && ['OFFLINE', 'BUSY', 'INTERNAL', 'RATE_LIMITED'].includes(failure.code);

/** Tells the server of a sign-out that it has not answered. The cookie alone is enough for this. */
function finishSignOut(): void {
  if (readStored(SIGNING_OUT) === null || session.get().person !== null) return;
  void inTurn(async () => {
    // Another tab may have done it, or another person may have signed in, which has replaced the cookie.
    if (readStored(SIGNING_OUT) === null || session.get().person !== null) return;
    const { error } = await plain.mutation(Logout, {}).toPromise();
    if (!isUnanswered(failureOf(error))) writeStored(SIGNING_OUT, null);
  });
}

/** Tells the server of a sign-out that it has not heard of: at once, and whenever the connection is back. */
export function watchSignOut(): void {
  window.addEventListener('online', finishSignOut);
  finishSignOut();
}

/** Returns why the password was not changed, or null. All other devices are signed out. */
export const changePassword = (passwords: {
  currentPassword: string;
  newPassword: string;
}): Promise<Failure | null> =>
  changeSession(async (context) => {
    const { data, error } = await plain.mutation(ChangePassword, passwords, context).toPromise();
    const failure = failureOf(error);
    // A refused answer has null as its data, or as its field.
    const changed = data?.changePassword ?? null;
    if (failure !== null || changed === null) return failure ?? { code: 'INTERNAL', details: {} };
    grant(changed);
    return null;
  });

/** Returns why the account was not deleted, or null. Nothing of it remains in this browser. */
export const deleteAccount = (password: string): Promise<Failure | null> =>
  changeSession(async (context) => {
    const { error } = await plain.mutation(DeleteAccount, { password }, context).toPromise();
    const failure = failureOf(error);
    if (failure !== null) return failure;
    channel.postMessage({ kind: 'left', ended: false });
    await leave(false);
    return null;
  });
