import { useEffect } from 'react';
import { useSubscription } from 'urql';
import type { ChangesSubscription } from '../gql/graphql.js';
import { graphql } from '../gql/index.js';
import { noticeArrived } from './notice-bell.js';

const Changes = graphql(`
  subscription Changes {
    changes {
      __typename
      ... on Credits {
        ...CreditsState
      }
      ... on Notice {
        id
      }
      ... on Audio {
        ...AudioState
        story {
          id
          currentAudio {
            id
          }
        }
      }
    }
  }
`);

const AGAIN_MS = 5000;

/** The frame then asks how many notices are new. */
function tell(_before: unknown, event: ChangesSubscription): null {
  if (event.changes.__typename === 'Notice') noticeArrived();
  return null;
}

/** Follows everything that changes for the person. The cache takes each event, and the pages follow the cache. */
export function FollowChanges(): null {
  const [{ error }, follow] = useSubscription({ query: Changes, variables: {} }, tell);
  useEffect(() => {
    // Without a connection there was no token, and so nothing was followed.
    if (error === undefined) return undefined;
    const again = (): void => follow();
    const timer = setTimeout(again, AGAIN_MS);
    window.addEventListener('online', again);
    return () => {
      clearTimeout(timer);
      window.removeEventListener('online', again);
    };
  }, [error, follow]);
  return null;
}
