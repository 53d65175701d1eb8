import { lazy, Suspense, useEffect, useRef, type ReactElement } from 'react';
import { Route, Switch, useLocation } from 'wouter';
import { Broken } from './frame/broken.js';
import { Loading } from './frame/loading.js';
import { Missing } from './frame/missing.js';
import { Library } from './library/library.js';
import { patterns } from './paths.js';
import { Story } from './story/story.js';

const Listen = lazy(async () => ({ default: (await import('./listen/listen.js')).Listen }));
const SignIn = lazy(async () => ({ default: (await import('./sign/sign-in.js')).SignIn }));
const SignUp = lazy(async () => ({ default: (await import('./sign/sign-up.js')).SignUp }));
const Forgotten = lazy(async () => ({ default: (await import('./sign/forgotten.js')).Forgotten }));
const Reset = lazy(async () => ({ default: (await import('./sign/reset.js')).ResetPassword }));
const Verify = lazy(async () => ({ default: (await import('./sign/verify.js')).VerifyEmail }));
const Wallet = lazy(async () => ({ default: (await import('./wallet/wallet.js')).Wallet }));
const Account = lazy(async () => ({ default: (await import('./account/account.js')).Account }));
const NoticesPage = lazy(async () => ({
  default: (await import('./notices/notices.js')).NoticesPage,
}));

/** Which page is shown at which address. Pages that few people open are loaded when they are opened. */
export function Pages(): ReactElement {
  const [location] = useLocation();
  useNewPage(location);
  return (
    <Broken key={location}>
      <Suspense fallback={<Loading />}>
        <Switch>
          <Route path={patterns.library}>
            <Library />
          </Route>
          <Route path={patterns.story}>{({ slug }) => <Story key={slug} slug={slug} />}</Route>
          <Route path={patterns.listen}>{({ slug }) => <Listen key={slug} slug={slug} />}</Route>
          <Route path={patterns.signIn} component={SignIn} />
          <Route path={patterns.signUp} component={SignUp} />
          <Route path={patterns.forgotten} component={Forgotten} />
          <Route path={patterns.reset} component={Reset} />
          <Route path={patterns.verify} component={Verify} />
          <Route path={patterns.wallet} component={Wallet} />
          <Route path={patterns.account} component={Account} />
          <Route path={patterns.notices} component={NoticesPage} />
          <Route>
            <Missing />
          </Route>
        </Switch>
      </Suspense>
    </Broken>
  );
}

/** A new page begins at its top, and its content has the focus, so that screen readers begin there. */
function useNewPage(location: string): void {
  const first = useRef(true);
  useEffect(() => {
    if (first.current) {
      first.current = false;
      return;
    }
    document.getElementById('content')?.focus({ preventScroll: true });
    window.scrollTo(0, 0);
  }, [location]);
}
