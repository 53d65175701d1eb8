import 'graphiql/setup-workers/vite';
import 'graphiql/style.css';
import './style.css';
import type { Fetcher, FetcherParams } from '@graphiql/toolkit';
import { GraphiQL } from 'graphiql';
import { useSyncExternalStore, type ReactNode } from 'react';
import { createRoot } from 'react-dom/client';
import { examplesFor, type Findings } from './examples.js';
import { execute, signOut, subscribe, who } from './session.js';

const FALLBACK = 'run the Library tab and paste an id here';

/** The ids that the examples use: the first English story, a voice that reads it, and who is signed in. */
async function find(): Promise<Findings> {
  const query =
    '{ stories(first: 1, language: "en") { nodes { id } } voices(language: "en") { id } me { id } }';
  const { data } = (await execute({ query }).catch(() => ({ data: null }))) as {
    data?: {
      stories: { nodes: { id: string }[] };
      voices: { id: string }[];
      me: { id: string } | null;
    } | null;
  };
  return {
    storyId: data?.stories.nodes[0]?.id ?? FALLBACK,
    voiceId: data?.voices[0]?.id ?? FALLBACK,
    userId: data?.me?.id ?? 'the id that the SignIn tab shows',
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
function operationOf({ query, variables, operationName }: FetcherParams): object {
  const isThere = operationName != null && new RegExp(`\\b${operationName}\\b`).test(query);
  return { query, variables: variables as unknown, ...(isThere ? { operationName } : {}) };
}

const fetcher: Fetcher = (operation, options) =>
  execute(operationOf(operation), options?.headers ?? {}) as Promise<never>;

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
        />
      </main>
    </>
  );
}

const root = document.getElementById('root');
if (root !== null) createRoot(root).render(<App findings={await find()} />);
