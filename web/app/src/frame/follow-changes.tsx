import { useSubscription } from 'urql';
import { graphql } from '../gql/index.js';

const Changes = graphql(`
  subscription Changes {
    changes {
      __typename
      ... on Credits {
        ...CreditsState
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

/** Follows everything that changes for the person. The cache takes each event, and the pages follow the cache. */
export function FollowChanges(): null {
  useSubscription({ query: Changes, variables: {} });
  return null;
}
