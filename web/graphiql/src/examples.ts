/** A tab that works from the first click. */
export interface Example {
  readonly query: string;
  readonly variables: string | null;
}

/** What the examples need of the library, found when the page opens. */
export interface Findings {
  readonly storyId: string;
  readonly voiceId: string;
  readonly userId: string;
}

const json = (value: object): string => JSON.stringify(value, null, 2);

/** In the order in which a newcomer would click. */
export const examplesFor = ({ storyId, voiceId, userId }: Findings): Example[] => [
  {
    query: `# The library. Nobody needs to be signed in for this one.
query Library {
  stories(first: 10) {
    nodes {
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
    query: `# Signs you in as the demo listener. This page keeps the token
# and sends it along from now on.
mutation SignIn($input: LoginInput!) {
  login(input: $input) {
    accessToken
    accessTokenExpiresAt
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
    variables: json({
      input: {
        email: 'listener@talebank.local',
        password: 'once upon a time',
        deviceName: 'GraphiQL',
      },
    }),
  },
  {
    query: `# What would it cost, and which points would pay? Changes nothing.
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
    variables: json({ storyId, voiceId }),
  },
  {
    query: `# Narrates a story. Run it twice: the second time is free.
mutation Narrate($input: SynthesizeAudioInput!) {
  synthesizeAudio(input: $input) {
    audio {
      id
      status
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
    variables: json({ input: { storyId, voiceId, maxCredits: 10 } }),
  },
  {
    query: `# Run it again until the status is READY, then open the url: it plays.
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
    query: `# Where your points are, and where they went.
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
    query: `# For administrators: sign in as one first. The server prints the login.
# The same key grants only once, however often you run it.
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
    variables: json({
      input: {
        userId,
        amount: 5,
        source: 'ADD_ON',
        reason: 'A present from GraphiQL',
        idempotencyKey: 'graphiql-present-1',
      },
    }),
  },
];
