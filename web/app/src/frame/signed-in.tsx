import type { ReactElement, ReactNode } from 'react';
import { Redirect, useLocation, useSearch } from 'wouter';
import { useSession } from '../session/state.js';
import { paths } from '../paths.js';

/** Shows a page to a person who is signed in, and sends any other visitor to the sign-in page. */
export function SignedIn({ children }: { children: ReactNode }): ReactElement {
  const { person } = useSession();
  const [location] = useLocation();
  const search = useSearch();
  if (person === null)
    return (
      <Redirect to={paths.signIn(search === '' ? location : `${location}?${search}`)} replace />
    );
  return <>{children}</>;
}
