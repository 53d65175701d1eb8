import { graphql } from '../gql/index.js';

graphql(`
  fragment MyAudio on Audio {
    ...AudioState
    createdAt
    voice {
      id
      name
      languages
    }
  }
`);

export const StoryPage = graphql(`
  query StoryPage($slug: String!) {
    story(slug: $slug) {
      ...StoryCard
      content
      audio {
        ...MyAudio
      }
    }
  }
`);

export const StoryVoices = graphql(`
  query StoryVoices($language: String!) {
    settings {
      welcomePoints
    }
    voices(language: $language) {
      id
      name
      gender
      languages
      sampleUrl
    }
  }
`);

export const Quote = graphql(`
  query Quote($storyId: ID!, $voiceId: ID!) {
    quoteAudio(storyId: $storyId, voiceId: $voiceId) {
      requiredCredits
      balance
      affordable
      shortfall
      allocations {
        amount
        lot {
          id
          source
          remaining
          expiresAt
        }
      }
    }
  }
`);

/** The answer has everything that the page shows of a narration, so that it need not be read again. */
export const Narrate = graphql(`
  mutation Narrate($input: SynthesizeAudioInput!) {
    synthesizeAudio(input: $input) {
      balance
      audio {
        ...MyAudio
        listening {
          ...ListeningState
        }
        story {
          id
          currentAudio {
            id
          }
          audio {
            id
          }
        }
      }
    }
  }
`);

export const Cancel = graphql(`
  mutation Cancel($id: ID!) {
    cancelAudio(id: $id) {
      balance
      audio {
        ...MyAudio
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

export const SetFavourite = graphql(`
  mutation SetFavourite($storyId: ID!, $favourite: Boolean!) {
    setFavourite(storyId: $storyId, favourite: $favourite) {
      id
      favourite
    }
  }
`);
