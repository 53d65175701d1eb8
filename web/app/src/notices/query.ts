import { graphql } from '../gql/index.js';

graphql(`
  fragment NoticeFields on Notice {
    id
    kind
    at
    readAt
    points
    lapsesAt
    audio {
      id
      story {
        id
        slug
        title
      }
    }
  }
`);

export const Notices = graphql(`
  query Notices {
    me {
      id
      notices(first: 30) {
        unread
        nodes {
          ...NoticeFields
        }
      }
    }
  }
`);

/** How many are new. The frame asks for no more. */
export const Unread = graphql(`
  query UnreadNotices {
    me {
      id
      notices(first: 1) {
        unread
      }
    }
  }
`);

export const MarkRead = graphql(`
  mutation MarkNoticesRead($upTo: ID!) {
    markNoticesRead(upTo: $upTo)
  }
`);
