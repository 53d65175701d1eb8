import { graphql } from '../gql/index.js';

export const PlayerAudio = graphql(`
  query PlayerAudio($id: ID!) {
    audio(id: $id) {
      ...AudioState
      expectedSeconds
      content
      voice {
        id
        name
        languages
      }
      listening {
        ...ListeningState
      }
      bookmarks(first: 100) {
        id
        positionMs
        note
      }
      story {
        id
        slug
        title
        author
        language
        coverUrl
        coverColor
        currentAudio {
          id
        }
      }
    }
  }
`);

export const ReportListening = graphql(`
  mutation ReportListening($input: ListeningInput!) {
    reportListening(input: $input) {
      positionMs
      finished
      rate
      updatedAt
    }
  }
`);

export const AddBookmark = graphql(`
  mutation AddBookmark($audioId: ID!, $positionMs: Int!) {
    addBookmark(audioId: $audioId, positionMs: $positionMs) {
      id
      audio {
        id
        bookmarks(first: 100) {
          id
          positionMs
          note
        }
      }
    }
  }
`);

export const RemoveBookmark = graphql(`
  mutation RemoveBookmark($id: ID!) {
    removeBookmark(id: $id)
  }
`);

export const AudioSentences = graphql(`
  query AudioSentences($id: ID!, $after: Int!) {
    audio(id: $id) {
      id
      sentences(after: $after) {
        from
        to
        startMs
        endMs
        words {
          from
          to
          startMs
        }
      }
    }
  }
`);
