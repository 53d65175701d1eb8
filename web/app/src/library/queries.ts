import { graphql } from '../gql/index.js';

export const LibraryStories = graphql(`
  query LibraryStories(
    $first: Int!
    $after: String
    $language: String
    $search: String
    $tags: [String!]
    $age: Int
    $order: StoryOrder
  ) {
    settings {
      welcomePoints
      languages {
        language
        stories
      }
      tags {
        tag
      }
    }
    stories(
      first: $first
      after: $after
      language: $language
      search: $search
      tags: $tags
      age: $age
      order: $order
    ) {
      nodes {
        ...StoryCard
      }
      pageInfo {
        hasNextPage
        endCursor
      }
    }
  }
`);

export const MyNarrations = graphql(`
  query MyNarrations($first: Int!, $after: String) {
    me {
      id
      audio(first: $first, after: $after, status: [QUEUED, PROCESSING, READY]) {
        nodes {
          id
          story {
            ...StoryCard
          }
        }
        pageInfo {
          hasNextPage
          endCursor
        }
      }
    }
  }
`);

export const ContinueListening = graphql(`
  query ContinueListening {
    continueListening(first: 10) {
      ...AudioState
      listening {
        ...ListeningState
      }
      story {
        id
        slug
        title
        author
        language
        coverUrl
        coverColor
      }
    }
  }
`);
