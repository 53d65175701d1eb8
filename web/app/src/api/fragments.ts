import { graphql } from '../gql/index.js';

/** The state of a narration, as events bring it. */
graphql(`
  fragment AudioState on Audio {
    id
    status
    progress
    durationSeconds
    url
    streamUrl
    addressesExpireAt
    failureCode
    waitingFor
    creditsCharged
    outdated
    updatedAt
  }
`);

/** The points of the person who is signed in, as events bring them. */
graphql(`
  fragment CreditsState on Credits {
    balance
    unitLabel
    unitSize
    lowBelow
    bySource {
      source
      balance
    }
    expiring {
      at
      points
    }
  }
`);
