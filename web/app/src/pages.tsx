import { Suspense, type ReactElement } from 'react';
import { Route, Switch } from 'wouter';
import { Broken } from './frame/broken.js';
import { Missing } from './frame/missing.js';
import { Loading } from './frame/loading.js';

/** Which page is shown at which address. Pages that few people open are loaded when they are opened. */
export function Pages(): ReactElement {
  return (
    <Broken>
      <Suspense fallback={<Loading />}>
        <Switch>
          <Route>
            <Missing />
          </Route>
        </Switch>
      </Suspense>
    </Broken>
  );
}
