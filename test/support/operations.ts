import { graphql } from './generated/index.js';

export const Register = graphql(`
  mutation Register($input: RegisterInput!) {
    register(input: $input) {
      accessToken
      accessTokenExpiresAt
      refreshToken
      refreshTokenExpiresAt
      session {
        id
        current
        deviceName
      }
      user {
        id
        email
        emailVerified
        role
        suspended
        credits {
          balance
          unitLabel
          unitSize
          bySource {
            source
            balance
          }
        }
      }
    }
  }
`);

export const Login = graphql(`
  mutation Login($input: LoginInput!) {
    login(input: $input) {
      accessToken
      refreshToken
      user {
        id
        role
      }
    }
  }
`);

export const Refresh = graphql(`
  mutation Refresh($refreshToken: String) {
    refreshSession(refreshToken: $refreshToken) {
      accessToken
      refreshToken
      user {
        email
      }
    }
  }
`);

export const CreateStory = graphql(`
  mutation CreateStory($input: StoryInput!) {
    createStory(input: $input) {
      id
      slug
      title
      content
      characterCount
      requiredCredits
      published
    }
  }
`);

export const Voices = graphql(`
  query Voices($language: String) {
    voices(language: $language) {
      id
      name
      languages
      provider
    }
  }
`);

export const VoiceSamples = graphql(`
  query VoiceSamples {
    voices {
      id
      languages
      sampleUrl
    }
  }
`);

export const Narrate = graphql(`
  mutation Narrate($input: SynthesizeAudioInput!) {
    synthesizeAudio(input: $input) {
      audio {
        id
        status
        creditsCharged
      }
      charge {
        id
        seq
        type
        amount
        balanceAfter
      }
      balance
    }
  }
`);

export const AudioById = graphql(`
  query AudioById($id: ID!) {
    audio(id: $id) {
      id
      status
      progress
      creditsCharged
      durationSeconds
      byteSize
      url
      captionsUrl
      streamUrl
      failureReason
      readyAt
      story {
        id
        title
      }
      voice {
        id
      }
      transactions {
        seq
        type
        amount
        debit {
          seq
        }
      }
    }
  }
`);

export const AudioWaiting = graphql(`
  query AudioWaiting($id: ID!) {
    audio(id: $id) {
      status
      waitingFor
      failureCode
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
      existing {
        id
      }
      allocations {
        amount
        lot {
          id
          source
        }
      }
    }
  }
`);

export const Grant = graphql(`
  mutation Grant($input: GrantCreditsInput!) {
    grantCredits(input: $input) {
      replayed
      transaction {
        id
        seq
        type
        amount
        balanceAfter
        reason
        actor {
          id
        }
      }
      lot {
        id
        source
        status
        granted
        remaining
        priority
        expiresAt
        priceMinor
        currency
      }
      user {
        credits {
          balance
        }
      }
    }
  }
`);

export const Wallet = graphql(`
  query Wallet($first: Int, $after: String, $last: Int, $before: String) {
    me {
      credits {
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
      creditLots {
        nodes {
          id
          source
          status
          granted
          remaining
          priority
          expiresAt
          parent {
            id
          }
        }
      }
      creditHistory(first: $first, after: $after, last: $last, before: $before) {
        edges {
          cursor
          node {
            seq
          }
        }
        nodes {
          id
          seq
          type
          amount
          balanceAfter
          reason
          effectiveAt
          recordedAt
          hash
          allocations {
            amount
            lot {
              id
              source
            }
          }
          story {
            title
          }
          audio {
            id
            status
          }
          debit {
            seq
          }
        }
        pageInfo {
          hasNextPage
          hasPreviousPage
          startCursor
          endCursor
        }
      }
    }
  }
`);

export const Revoke = graphql(`
  mutation Revoke($input: RevokeCreditLotInput!) {
    revokeCreditLot(input: $input) {
      transaction {
        id
        seq
        type
        amount
        reason
        actor {
          id
        }
      }
      lot {
        id
        status
        remaining
        revokedAt
      }
      replayed
    }
  }
`);

export const RevokeBulkGrant = graphql(`
  mutation RevokeBulkGrant($idempotencyKey: String!, $reason: String!) {
    revokeBulkGrant(idempotencyKey: $idempotencyKey, reason: $reason) {
      accounts
      granted
      revoked
      spent
      lapsed
      revokedOtherwise
      replayed
    }
  }
`);

export const BulkGrant = graphql(`
  mutation BulkGrant($input: BulkGrantInput!) {
    bulkGrantCredits(input: $input) {
      granted
      points
      skipped {
        row
        reason
      }
      dryRun
      replayed
    }
  }
`);

export const RefundAudio = graphql(`
  mutation RefundAudio($input: RefundAudioInput!) {
    refundAudio(input: $input) {
      audio {
        id
        status
        creditsCharged
      }
      refund {
        seq
        type
        amount
        debit {
          seq
        }
        actor {
          id
        }
      }
    }
  }
`);

export const SetMonthlyCredits = graphql(`
  mutation SetMonthlyCredits($userId: ID!, $amount: Int, $reason: String!) {
    setMonthlyCredits(userId: $userId, amount: $amount, reason: $reason) {
      id
      monthlyCredits
    }
  }
`);

export const RunMaintenance = graphql(`
  mutation RunMaintenance($task: MaintenanceTask!) {
    runMaintenance(task: $task) {
      task
      processed
      changed
      durationMs
    }
  }
`);

export const CreditReport = graphql(`
  query CreditReport($from: DateTime!, $to: DateTime!) {
    creditReport(from: $from, to: $to) {
      from
      to
      outstanding
      rows {
        source
        granted
        grace
        debited
        refunded
        expired
        revoked
        outstanding
      }
      runOff {
        day
        points
      }
    }
  }
`);

export const CreditLiability = graphql(`
  query CreditLiability($from: DateTime!, $to: DateTime!) {
    creditLiability(from: $from, to: $to) {
      opening
      closing
      rows {
        source
        opening
        granted
        grace
        debited
        refunded
        expired
        revoked
        closing
      }
      lapses {
        month
        source
        points
      }
    }
  }
`);

/** `creditLiability` with paid and free points separately. */
export const PricedLiability = graphql(`
  query PricedLiability($from: DateTime!, $to: DateTime!) {
    creditLiability(from: $from, to: $to) {
      opening
      closing
      rows {
        source
        opening
        granted
        grace
        debited
        refunded
        expired
        revoked
        closing
        paid {
          ...Flows
        }
        free {
          ...Flows
        }
      }
      lapses {
        month
        source
        points
        paid
        free
      }
      deferredRevenue {
        currency
        opening
        sold
        spent
        lapsed
        revoked
        closing
      }
    }
  }
  fragment Flows on CreditLiabilityPart {
    opening
    granted
    grace
    debited
    refunded
    expired
    revoked
    closing
  }
`);

export const LotPrices = graphql(`
  query LotPrices {
    creditLots(first: 50) {
      nodes {
        id
        granted
        priceMinor
        currency
        parent {
          id
          priceMinor
          currency
        }
      }
    }
  }
`);

export const CreditStatement = graphql(`
  query CreditStatement($month: String!, $first: Int, $after: String) {
    creditStatement(month: $month) {
      month
      from
      to
      opening
      lapsedUnbooked
      closing
      headHash
      csvUrl
      movements(first: $first, after: $after) {
        nodes {
          seq
          type
          amount
          effectiveAt
          recordedAt
          hash
        }
        pageInfo {
          hasNextPage
          endCursor
        }
      }
    }
  }
`);

export const LedgerHealth = graphql(`
  query LedgerHealth {
    ledgerHealth {
      ok
      checkedAt
      checkedSecondsAgo
      isChecking
      isFull
      fullyCheckedSecondsAgo
      accounts
      transactions
      transactionsRead
      checks {
        invariant
        description
        violations
        sample
      }
      unfinishedBulkGrants {
        idempotencyKey
        placedAt
        actorId
        reason
        recipients
      }
      unfinishedBulkRevocations {
        idempotencyKey
        placedAt
        actorId
        reason
      }
    }
  }
`);

export const SignedInDevices = graphql(`
  query SignedInDevices {
    me {
      sessions {
        id
        current
        deviceName
      }
    }
  }
`);

export const RevokeSession = graphql(`
  mutation RevokeSession($id: ID!) {
    revokeSession(id: $id)
  }
`);

export const RevokeOtherSessions = graphql(`
  mutation RevokeOtherSessions {
    revokeOtherSessions
  }
`);

export const ChangePassword = graphql(`
  mutation ChangePassword($currentPassword: String!, $newPassword: String!) {
    changePassword(currentPassword: $currentPassword, newPassword: $newPassword) {
      accessToken
      refreshToken
      session {
        id
        current
        deviceName
      }
    }
  }
`);

export const UpdateProfile = graphql(`
  mutation UpdateProfile($displayName: String) {
    updateProfile(displayName: $displayName) {
      displayName
    }
  }
`);

export const SuspendUser = graphql(`
  mutation SuspendUser($userId: ID!, $reason: String!) {
    suspendUser(userId: $userId, reason: $reason) {
      suspended
    }
  }
`);

export const ReinstateUser = graphql(`
  mutation ReinstateUser($userId: ID!, $reason: String!) {
    reinstateUser(userId: $userId, reason: $reason) {
      suspended
    }
  }
`);

export const SetUserRole = graphql(`
  mutation SetUserRole($userId: ID!, $role: Role!, $reason: String!) {
    setUserRole(userId: $userId, role: $role, reason: $reason) {
      id
      role
    }
  }
`);

export const Users = graphql(`
  query Users($first: Int, $after: String, $last: Int, $before: String, $search: String) {
    users(first: $first, after: $after, last: $last, before: $before, search: $search) {
      nodes {
        id
        email
        displayName
      }
      pageInfo {
        hasNextPage
        hasPreviousPage
        startCursor
        endCursor
      }
    }
  }
`);

export const AuditLog = graphql(`
  query AuditLog($first: Int, $after: String) {
    auditLog(first: $first, after: $after) {
      nodes {
        id
        at
        action
        target
        reason
        actor {
          id
        }
      }
      pageInfo {
        hasNextPage
        endCursor
      }
    }
  }
`);

export const VerifyEmail = graphql(`
  mutation VerifyEmail($token: String!) {
    verifyEmail(token: $token)
  }
`);

export const ResendVerification = graphql(`
  mutation ResendVerification {
    resendVerification
  }
`);

export const ExportMyData = graphql(`
  mutation ExportMyData($password: String!) {
    exportMyData(password: $password) {
      url
      expiresAt
      rows
    }
  }
`);

export const ChangeEmail = graphql(`
  mutation ChangeEmail($newEmail: String!, $password: String!) {
    changeEmail(newEmail: $newEmail, password: $password)
  }
`);

export const RequestPasswordReset = graphql(`
  mutation RequestPasswordReset($email: String!) {
    requestPasswordReset(email: $email)
  }
`);

export const ResetPassword = graphql(`
  mutation ResetPassword($token: String!, $newPassword: String!) {
    resetPassword(token: $token, newPassword: $newPassword)
  }
`);

export const DeleteAccount = graphql(`
  mutation DeleteAccount($password: String!) {
    deleteAccount(password: $password)
  }
`);

export const JobQueues = graphql(`
  query JobQueues {
    jobQueues {
      name
      queued
      active
      failed
      oldestQueuedSeconds
    }
  }
`);

export const RedriveJobs = graphql(`
  mutation RedriveJobs($queue: String!) {
    redriveJobs(queue: $queue)
  }
`);

export const CancelAudio = graphql(`
  mutation CancelAudio($id: ID!) {
    cancelAudio(id: $id) {
      audio {
        id
        status
        creditsCharged
      }
      refund {
        id
        seq
        type
        amount
      }
      balance
    }
  }
`);

export const AudioUpdated = graphql(`
  subscription AudioUpdated($id: ID!) {
    audioUpdated(id: $id) {
      id
      status
      progress
      url
    }
  }
`);

export const CreditsUpdated = graphql(`
  subscription CreditsUpdated {
    creditsUpdated {
      balance
      bySource {
        source
        balance
      }
    }
  }
`);

export const UpdateStory = graphql(`
  mutation UpdateStory($id: ID!, $input: StoryInput!) {
    updateStory(id: $id, input: $input) {
      id
      requiredCredits
    }
  }
`);

export const DeleteStory = graphql(`
  mutation DeleteStory($id: ID!) {
    deleteStory(id: $id)
  }
`);

export const ProposalFields = graphql(`
  fragment ProposalFields on GrantProposal {
    id
    command
    state
    points
    above
    source
    expiresAt
    reason
    idempotencyKey
    recipientCount
    recipients {
      userId
      amount
      priceMinor
      currency
    }
    proposedAt
    lapsesAt
    decidedAt
    decisionReason
    user {
      id
    }
    proposer {
      id
    }
    decider {
      id
    }
  }
`);

export const Proposal = graphql(`
  query Proposal($id: ID!) {
    proposal(id: $id) {
      ...ProposalFields
    }
  }
`);

export const Proposals = graphql(`
  query Proposals($state: [GrantProposalState!], $first: Int, $after: String, $last: Int) {
    proposals(state: $state, first: $first, after: $after, last: $last) {
      nodes {
        id
        state
      }
      pageInfo {
        hasNextPage
        endCursor
      }
    }
  }
`);

export const ApproveProposal = graphql(`
  mutation ApproveProposal($id: ID!, $reason: String!) {
    approveProposal(id: $id, reason: $reason) {
      replayed
      proposal {
        ...ProposalFields
      }
    }
  }
`);

export const DeclineProposal = graphql(`
  mutation DeclineProposal($id: ID!, $reason: String!) {
    declineProposal(id: $id, reason: $reason) {
      replayed
      proposal {
        ...ProposalFields
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
      device {
        deviceName
      }
    }
  }
`);

export const AddBookmark = graphql(`
  mutation AddBookmark($audioId: ID!, $positionMs: Int!, $note: String) {
    addBookmark(audioId: $audioId, positionMs: $positionMs, note: $note) {
      id
    }
  }
`);

export const SetFavourite = graphql(`
  mutation SetFavourite($storyId: ID!, $favourite: Boolean!) {
    setFavourite(storyId: $storyId, favourite: $favourite) {
      favourite
    }
  }
`);
