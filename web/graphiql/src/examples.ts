import type {
  FollowItSubscriptionVariables,
  GrantMutationVariables,
  NarrateMutationVariables,
  QuoteQueryVariables,
  SignInMutationVariables,
  StopItMutationVariables,
} from './gql/graphql.js';

/** A tab that can be run as it is. */
export interface Example {
  readonly query: string;
  readonly variables: string | null;
}

/** What the examples need of the library, found when the page opens. */
export interface Findings {
  readonly storyId: string;
  readonly voiceId: string;
  readonly userId: string;
  readonly audioId: string;
}

const json = <Variables extends object>(variables: Variables): string =>
  JSON.stringify(variables, null, 2);

const narration = (audioId: string): string =>
  json<FollowItSubscriptionVariables & StopItMutationVariables>({ id: audioId });

const grant = (userId: string): string =>
  json<GrantMutationVariables>({
    input: {
      userId,
      amount: 5,
      source: 'ADD_ON',
      reason: 'A present from GraphiQL',
      idempotencyKey: 'graphiql-present-1',
    },
  });

/** The ids that become known while the page is used. */
export interface Known {
  readonly audioId: string | null;
  readonly listenerId: string | null;
}

/** The operations whose variables are written anew when such an id becomes known. */
export const FILLED_IN: readonly {
  readonly operation: string;
  readonly needs: keyof Known;
  readonly variables: (id: string) => string;
}[] = [
  { operation: 'FollowIt', needs: 'audioId', variables: narration },
  { operation: 'StopIt', needs: 'audioId', variables: narration },
  { operation: 'Grant', needs: 'listenerId', variables: grant },
];

/** In the order in which a newcomer would click. */
export const examplesFor = ({ storyId, voiceId, userId, audioId }: Findings): Example[] => [
  {
    query: /* GraphQL */ `
      # The library, page by page.
      # Works without signing in.
      query Library {
        stories(first: 10) {
          nodes {
            id
            title
            language
            requiredCredits
            description
            audio {
              status
            }
          }
          pageInfo {
            hasNextPage
            endCursor
          }
        }
      }
    `,
    variables: null,
  },
  {
    query: /* GraphQL */ `
      # Signs you in as the demo listener. From then on, this
      # page sends the access token with each request, and
      # renews it with the refresh token.
      mutation SignIn($input: LoginInput!) {
        login(input: $input) {
          accessToken
          accessTokenExpiresAt
          refreshToken
          user {
            id
            email
            credits {
              balance
              unitLabel
            }
          }
        }
      }
    `,
    variables: json<SignInMutationVariables>({
      input: {
        email: 'listener@talebank.local',
        password: 'once upon a time',
        deviceName: 'GraphiQL',
      },
    }),
  },
  {
    query: /* GraphQL */ `
      # The price of a narration, and the points that would
      # pay for it. Changes nothing.
      query Quote($storyId: ID!, $voiceId: ID!) {
        quoteAudio(storyId: $storyId, voiceId: $voiceId) {
          requiredCredits
          balance
          affordable
          existing {
            status
          }
          allocations {
            amount
            lot {
              source
              expiresAt
            }
          }
        }
      }
    `,
    variables: json<QuoteQueryVariables>({ storyId, voiceId }),
  },
  {
    query: /* GraphQL */ `
      # Requests a narration and pays for it. A second run
      # is free, because the narration exists. The streamUrl
      # can be played while the narration is being made.
      mutation Narrate($input: SynthesizeAudioInput!) {
        synthesizeAudio(input: $input) {
          audio {
            id
            status
            streamUrl
            story {
              title
            }
          }
          charge {
            seq
            amount
            balanceAfter
          }
          balance
        }
      }
    `,
    variables: json<NarrateMutationVariables>({ input: { storyId, voiceId, maxCredits: 10 } }),
  },
  {
    query: /* GraphQL */ `
      # Follows the narration that you have just requested:
      # its present state, then each change, until you stop
      # it. A short story is READY at once. To see more
      # changes, narrate a longer one.
      subscription FollowIt($id: ID!) {
        audioUpdated(id: $id) {
          status
          progress
          url
          failureReason
        }
      }
    `,
    variables: narration(audioId),
  },
  {
    query: /* GraphQL */ `
      # Your narrations. When the status is READY, the url
      # plays the recording.
      query Hear {
        me {
          audio(first: 5) {
            nodes {
              story {
                title
              }
              status
              progress
              durationSeconds
              url
              captionsUrl
            }
          }
        }
      }
    `,
    variables: null,
  },
  {
    query: /* GraphQL */ `
      # Your points: the balance, the lots that hold them,
      # and every movement.
      query Wallet {
        me {
          credits {
            balance
            bySource {
              source
              balance
            }
          }
          creditLots(first: 10) {
            nodes {
              source
              status
              granted
              remaining
              expiresAt
            }
          }
          creditHistory(first: 10) {
            nodes {
              seq
              type
              amount
              balanceAfter
              reason
              allocations {
                amount
                lot {
                  source
                }
              }
              story {
                title
              }
            }
          }
        }
      }
    `,
    variables: null,
  },
  {
    query: /* GraphQL */ `
      # Follows your points: the balance after each change.
      # Leave it running, and narrate a story in another
      # window.
      subscription FollowMyPoints {
        creditsUpdated {
          balance
          bySource {
            source
            balance
          }
          expiring {
            at
            points
          }
        }
      }
    `,
    variables: null,
  },
  {
    query: /* GraphQL */ `
      # Cancels the narration and refunds its points. That is
      # possible until the narration is READY.
      mutation StopIt($id: ID!) {
        cancelAudio(id: $id) {
          audio {
            status
          }
          refund {
            seq
            amount
            balanceAfter
          }
          balance
        }
      }
    `,
    variables: narration(audioId),
  },
  {
    query: /* GraphQL */ `
      # For administrators. Sign in as one first: the server
      # prints the login when it starts. The tab has the id
      # of the listener who signed in on this page last.
      # Points are granted once for each idempotencyKey.
      mutation Grant($input: GrantCreditsInput!) {
        grantCredits(input: $input) {
          replayed
          transaction {
            seq
            amount
            balanceAfter
          }
          lot {
            source
            expiresAt
          }
        }
      }
    `,
    variables: grant(userId),
  },
];
