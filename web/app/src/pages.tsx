import { lazy, Suspense, type ReactElement } from 'react';
import { Route, Switch } from 'wouter';
import { Broken } from './frame/broken.js';
import { Missing } from './frame/missing.js';
import { Loading } from './frame/loading.js';
import { patterns } from './paths.js';

const SignIn = lazy(async () => ({ default: (await import('./sign/sign-in.js')).SignIn }));
const SignUp = lazy(async () => ({ default: (await import('./sign/sign-up.js')).SignUp }));
const Forgotten = lazy(async () => ({ default: (await import('./sign/forgotten.js')).Forgotten }));
const Reset = lazy(async () => ({ default: (await import('./sign/reset.js')).ResetPassword }));
const Verify = lazy(async () => ({ default: (await import('./sign/verify.js')).VerifyEmail }));
const Wallet = lazy(async () => ({ default: (await import('./wallet/wallet.js')).Wallet }));
const Account = lazy(async () => ({ default: (await import('./account/account.js')).Account }));

/** Which page is shown at which address. Pages that few people open are loaded when they are opened. */
export function Pages(): ReactElement {
  return (
    <Broken>
      <Suspense fallback={<Loading />}>
        <Switch>
          <Route path={patterns.signIn} component={SignIn} />
          <Route path={patterns.signUp} component={SignUp} />
          <Route path={patterns.forgotten} component={Forgotten} />
          <Route path={patterns.reset} component={Reset} />
          <Route path={patterns.verify} component={Verify} />
          <Route path={patterns.wallet} component={Wallet} />
          <Route path={patterns.account} component={Account} />
          <Route>
            <Missing />
          </Route>
        </Switch>
      </Suspense>
    </Broken>
  );
}
