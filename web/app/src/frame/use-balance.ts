import { useQuery } from 'urql';
import { graphql } from '../gql/index.js';

export const Balance = graphql(`
  query Balance {
    me {
      id
      email
      displayName
      credits {
        ...CreditsState
      }
    }
  }
`);

/** The points that can be spent now, as the cache has them. It asks the server for nothing. */
export function useBalance(): number | undefined {
  const [{ data }] = useQuery({ query: Balance, variables: {}, requestPolicy: 'cache-only' });
  return data?.me?.credits.balance;
}
