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
  readonly audioId: string;
}

/** The tabs that go on with the narration that the Narrate tab has made. */
export const ABOUT_THE_NARRATION: readonly string[] = ['FollowIt', 'StopIt'];

const json = (value: object): string => JSON.stringify(value, null, 2);

/** The variables of those tabs. */
export const aboutNarration = (audioId: string): string => json({ id: audioId });

/** In the order in which a newcomer would click. */
export const examplesFor = ({ storyId, voiceId, userId, audioId }: Findings): Example[] => [
  {
    query: `# The library. Nobody needs to be signed in for this one.
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
    query: `# Signs you in as the demo listener. This page keeps
# the tokens: it sends the first one along from now
# on, and gets new ones with the second.
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
    query: `# Narrates a story. Run it twice: the second time
# is free. Too curious to wait? Open the streamUrl:
# it plays while the narration is being made.
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
    variables: json({ input: { storyId, voiceId, maxCredits: 10 } }),
  },
  {
    query: `# The narration that you have just asked for, as it
# gets on: first how it stands, then each change,
# until you press stop. A short tale is ready before
# you can look; with the id of a longer one in the
# Narrate tab there is more to see.
subscription FollowIt($id: ID!) {
  audioUpdated(id: $id) {
    status
    progress
    url
    failureReason
  }
}
`,
    variables: aboutNarration(audioId),
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
    query: `# Your points, each time they change. Leave it
# running, and narrate something in another window.
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
    query: `# Changed your mind? Until the narration is READY
# this stops it, and all its points come back.
# Afterwards there is nothing to stop.
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
    variables: aboutNarration(audioId),
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
