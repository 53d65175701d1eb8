import 'graphiql/setup-workers/vite';
import 'graphiql/style.css';
import './style.css';
import type { Fetcher, FetcherParams } from '@graphiql/toolkit';
import { GraphiQL } from 'graphiql';
import type { RequestParams } from 'graphql-sse';
import { useSyncExternalStore, type ReactNode } from 'react';
import { createRoot } from 'react-dom/client';
import { examplesFor, type Findings } from './examples.js';
import { follow, isSubscription } from './follow.js';
import { noticeNarration, PassingOn } from './passing-on.js';
import { execute, signOut, subscribe, who } from './session.js';

const FALLBACK = 'run the Library tab and paste an id here';

/** The ids that the examples use: the first English story, a voice that reads it, who is signed in, and what they narrated last. */
async function find(): Promise<Findings> {
  const query =
    '{ stories(first: 1, language: "en") { nodes { id } } voices(language: "en") { id } me { id audio(first: 1) { nodes { id } } } }';
  const { data } = (await execute({ query }).catch(() => ({ data: null }))) as {
    data?: {
      stories: { nodes: { id: string }[] };
      voices: { id: string }[];
      me: { id: string; audio: { nodes: { id: string }[] } } | null;
    } | null;
  };
  return {
    storyId: data?.stories.nodes[0]?.id ?? FALLBACK,
    voiceId: data?.voices[0]?.id ?? FALLBACK,
    userId: data?.me?.id ?? 'the id that the SignIn tab shows',
    audioId: data?.me?.audio.nodes[0]?.id ?? 'run the Narrate tab: its id comes here',
  };
}

const TABS = 'graphiql:tabState';

/** Forgets the tabs of last time. */
function resetExamples(): void {
  localStorage.removeItem(TABS);
  location.reload();
}

function Bar(): ReactNode {
  const name = useSyncExternalStore(subscribe, who);
  return (
    <header className="bar">
      <strong>Talebank</strong>
      <span role="status">
        {name === null ? 'Not signed in: run the SignIn tab.' : `Signed in as ${name}.`}
      </span>
      {name !== null && (
        <button type="button" onClick={() => void signOut()}>
          Sign out
        </button>
      )}
      <button type="button" onClick={resetExamples}>
        Reset examples
      </button>
    </header>
  );
}

/** GraphiQL learns of a tab's operation a moment after the tab was opened: the name may be another tab's. */
function operationOf({ query, variables, operationName }: FetcherParams): RequestParams {
  const isThere = operationName != null && query.split(/\W+/).includes(operationName);
  return {
    query,
    variables: variables as Record<string, unknown>,
    ...(isThere ? { operationName } : {}),
  };
}

async function answer(operation: RequestParams, headers: Record<string, string>): Promise<never> {
  const result = await execute(operation, headers);
  noticeNarration(result);
  return result as never;
}

const fetcher: Fetcher = (params, options) => {
  const operation = operationOf(params);
  return isSubscription(operation) ? follow(operation) : answer(operation, options?.headers ?? {});
};

function App({ findings }: { findings: Findings }): ReactNode {
  return (
    <>
      <Bar />
      <main>
        <GraphiQL
          fetcher={fetcher}
          defaultTabs={examplesFor(findings)}
          defaultEditorToolsVisibility="variables"
          isHeadersEditorEnabled={false}
        >
          <PassingOn />
        </GraphiQL>
      </main>
    </>
  );
}

const root = document.getElementById('root');
if (root !== null) createRoot(root).render(<App findings={await find()} />);
