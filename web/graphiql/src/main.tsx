import 'graphiql/setup-workers/vite';
import 'graphiql/style.css';
import './style.css';
import type { Fetcher, FetcherParams } from '@graphiql/toolkit';
import { GraphiQL } from 'graphiql';
import type { RequestParams } from 'graphql-sse';
import { useState, useSyncExternalStore, type ReactNode } from 'react';
import { createRoot } from 'react-dom/client';
import { docsByName } from './docs-by-name.js';
import { examplesFor, type Findings } from './examples.js';
import { follow, isSubscription } from './follow.js';
import { Inside, noticeNarration } from './inside.js';
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
    userId: data?.me?.id ?? 'the id of a listener, which the SignIn tab shows',
    audioId: data?.me?.audio.nodes[0]?.id ?? 'run the Narrate tab, and the id is filled in',
  };
}

const TABS = 'graphiql:tabState';

/** Deletes the stored tabs, so that the page opens with the examples. */
function resetExamples(): void {
  localStorage.removeItem(TABS);
  location.reload();
}

function Bar({ slot }: { slot: (element: Element | null) => void }): ReactNode {
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
      <span ref={slot} />
      <button type="button" onClick={resetExamples}>
        Reset examples
      </button>
      <p className="narrow">
        This page needs a wide window. On a phone, turn the phone sideways, or use another GraphQL
        client with the address <code>/graphql</code>.
      </p>
    </header>
  );
}

/** GraphiQL knows the operation of a tab only a moment after the tab was opened, so the name may be that of another tab. */
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
  return docsByName(result) as never;
}

const fetcher: Fetcher = (params, options) => {
  const operation = operationOf(params);
  return isSubscription(operation) ? follow(operation) : answer(operation, options?.headers ?? {});
};

function App({ findings }: { findings: Findings }): ReactNode {
  const [bar, setBar] = useState<Element | null>(null);
  return (
    <>
      <Bar slot={setBar} />
      <main>
        <GraphiQL
          fetcher={fetcher}
          defaultTabs={examplesFor(findings)}
          defaultEditorToolsVisibility="variables"
          isHeadersEditorEnabled={false}
        >
          <Inside bar={bar} />
        </GraphiQL>
      </main>
    </>
  );
}

const root = document.getElementById('root');
if (root !== null) createRoot(root).render(<App findings={await find()} />);
