import { graphql } from '../gql/index.js';

/** How far a narration was heard. It is read as a whole everywhere, so that it is whole without a connection too. */
graphql(`
  fragment ListeningState on Listening {
    positionMs
    finished
    rate
    updatedAt
    device {
      id
      deviceName
      current
    }
  }
`);

/** What a card shows of a story. */
graphql(`
  fragment StoryCard on Story {
    id
    slug
    title
    author
    language
    description
    tags
    ageFrom
    ageTo
    expectedSeconds
    requiredCredits
    coverUrl
    coverColor
    favourite
    currentAudio {
      ...AudioState
      listening {
        ...ListeningState
      }
    }
  }
`);
