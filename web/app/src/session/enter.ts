import type { CombinedError } from '@urql/core';
import { failureOf, type Failure } from '../api/errors.js';
import type { LoginInput, RegisterInput } from '../gql/graphql.js';
import { getLocale } from '../paraglide/runtime.js';
import { forgetEverything } from './leave.js';
import { Login, plain, Register } from './requests.js';
import { channel, grant, session, type Granted } from './state.js';
import { inTurn } from './turn.js';

/** Signs in. Returns why it did not succeed, or null. */
export const signIn = (
  input: Omit<LoginInput, 'transport' | 'deviceName'>,
): Promise<Failure | null> =>
  enter(async () => {
    const answer = plain.mutation(Login, { input: { ...input, ...device() } });
    const { data, error } = await answer.toPromise();
    return { granted: data?.login, error };
  });

export const signUp = (
  input: Omit<RegisterInput, 'transport' | 'deviceName' | 'locale'>,
): Promise<Failure | null> =>
  enter(async () => {
    const answer = plain.mutation(Register, {
      input: { ...input, ...device(), locale: getLocale() },
    });
    const { data, error } = await answer.toPromise();
    return { granted: data?.register, error };
  });

interface Entry {
  readonly granted: Granted | undefined;
  readonly error: CombinedError | undefined;
}

const enter = (send: () => Promise<Entry>): Promise<Failure | null> =>
  inTurn(async () => {
    const { granted, error } = await send();
    if (granted === undefined) return failureOf(error) ?? { code: 'INTERNAL', details: {} };
    if (session.get().person?.id !== granted.user.id) await forgetEverything();
    grant(granted);
    channel.postMessage({ kind: 'person', id: granted.user.id });
    return null;
  });

/** What the list of devices shows. */
function device(): { deviceName: string; transport: 'COOKIE' } {
  const { userAgent } = navigator;
  const browser = /Edg|Firefox|Chrome|Safari/.exec(userAgent)?.[0] ?? 'Browser';
  const system = /Android|iPhone|iPad|Windows|Mac OS|Linux/.exec(userAgent)?.[0] ?? '';
  const name = browser === 'Edg' ? 'Edge' : browser;
  return { deviceName: system === '' ? name : `${name}, ${system}`, transport: 'COOKIE' };
}
