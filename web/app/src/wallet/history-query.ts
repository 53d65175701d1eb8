import { useEffect, useReducer, useRef } from 'react';
import { useClient, type Client } from 'urql';
import { failureOf, type Failure } from '../api/errors.js';
import { graphql } from '../gql/index.js';
import type { CreditSource, CreditTransactionType, WalletHistoryQuery } from '../gql/graphql.js';

export const HistoryDocument = graphql(`
  query WalletHistory(
    $first: Int!
    $after: String
    $type: [CreditTransactionType!]
    $source: [CreditSource!]
  ) {
    creditHistory(first: $first, after: $after, type: $type, source: $source) {
      nodes {
        id
        type
        amount
        balanceAfter
        effectiveAt
        reason
        story {
          id
          slug
          title
        }
        allocations {
          amount
          lot {
            id
            source
            expiresAt
            grantedAt
          }
        }
      }
      pageInfo {
        hasNextPage
        endCursor
      }
    }
  }
`);

export type Movement = WalletHistoryQuery['creditHistory']['nodes'][number];

export interface Filter {
  readonly type: CreditTransactionType | null;
  readonly source: CreditSource | null;
}

const PAGE = 25;

export interface Page {
  readonly rows: readonly Movement[];
  /** Null at the end. */
  readonly after: string | null;
}

/** Reads a page of the history, newest first. It counts as one read of points. */
export async function readPage(
  client: Client,
  { type, source }: Filter,
  { first = PAGE, after = null }: { first?: number; after?: string | null },
): Promise<Page | Failure> {
  const variables = {
    first,
    after,
    type: type === null ? null : [type],
    source: source === null ? null : [source],
  };
  const { data, error } = await client
    .query(HistoryDocument, variables, { requestPolicy: 'network-only' })
    .toPromise();
  const failure = failureOf(error);
  // A refused answer has null as its data, or as its field.
  const history = data?.creditHistory ?? null;
  if (failure !== null || history === null) return failure ?? { code: 'INTERNAL', details: {} };
  const { nodes, pageInfo } = history;
  return { rows: nodes, after: pageInfo.hasNextPage ? (pageInfo.endCursor ?? null) : null };
}

interface State extends Page {
  readonly status: 'reading' | 'idle';
  readonly failure: Failure | null;
}

type Action =
  | { readonly kind: 'reading'; readonly anew: boolean }
  | { readonly kind: 'read'; readonly page: Page; readonly anew: boolean }
  | { readonly kind: 'failed'; readonly failure: Failure };

const START: State = { rows: [], after: null, status: 'reading', failure: null };

function reduce(state: State, action: Action): State {
  if (action.kind === 'reading') return { ...state, status: 'reading', failure: null };
  if (action.kind === 'failed') return { ...state, status: 'idle', failure: action.failure };
  const rows = action.anew ? action.page.rows : [...state.rows, ...action.page.rows];
  return { rows, after: action.page.after, status: 'idle', failure: null };
}

interface History extends State {
  readonly more: () => void;
  readonly retry: () => void;
}

/** The history as far as it was asked for. A new filter or version begins anew. */
export function useHistory(filter: Filter, version: number): History {
  const client = useClient();
  const [state, dispatch] = useReducer(reduce, START);
  const round = useRef(0);
  const { type, source } = filter;
  const read = async (after: string | null): Promise<void> => {
    const mine = (round.current += 1);
    const anew = after === null;
    dispatch({ kind: 'reading', anew });
    const page = await readPage(client, { type, source }, { after });
    // A later question has replaced this one.
    if (mine !== round.current) return;
    dispatch('code' in page ? { kind: 'failed', failure: page } : { kind: 'read', page, anew });
  };
  const latest = useRef(read);
  useEffect(() => {
    latest.current = read;
  });
  useEffect(() => {
    void latest.current(null);
  }, [client, type, source, version]);
  const { failure } = state;
  const waitSeconds = failure?.code === 'RATE_LIMITED' ? (failure.retryAfterSeconds ?? 60) : null;
  useEffect(() => {
    if (waitSeconds === null) return;
    const timer = setTimeout(() => void latest.current(null), waitSeconds * 1000);
    return () => clearTimeout(timer);
  }, [waitSeconds, failure]);
  return {
    ...state,
    more: () => {
      if (state.status === 'idle' && state.after !== null) void read(state.after);
    },
    retry: () => void read(null),
  };
}
