import { graphql } from '../gql/index.js';

/** What a card shows of a story. */
graphql(`
  fragment StoryCard on Story {
    id
    slug
    title
    author
    language
    description
    expectedSeconds
    requiredCredits
    coverUrl
    favourite
    currentAudio {
      ...AudioState
      listening {
        positionMs
        finished
        updatedAt
      }
    }
  }
`);
