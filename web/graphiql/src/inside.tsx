import { useGraphiQL } from '@graphiql/react';
import { useEffect, useSyncExternalStore, type ReactNode } from 'react';
import { createPortal } from 'react-dom';
import { FILLED_IN, type Known } from './examples.js';
import { execute, subscribe as onSession, who } from './session.js';

/** The title of GraphiQL's plugin. */
const DOCUMENTATION = 'Documentation Explorer';

/** The ids of the narration that was requested last, and of the listener who was signed in last. */
let known: Known = { audioId: null, listenerId: null };
const listeners = new Set<() => void>();
/** The tabs that have been filled in, each with the id. A tab gets an id once, so that another one can be written there. */
const filledIn = new Map<string, string>();

function learn(more: Partial<Known>): void {
  known = { ...known, ...more };
  for (const listener of listeners) listener();
}

/** Remembers the narration in an answer, if there is one. */
export function noticeNarration({ data }: { data?: Record<string, unknown> | null }): void {
  for (const value of Object.values(data ?? {})) {
    const id = (value as { audio?: { id?: unknown } } | null)?.audio?.id;
    if (typeof id === 'string') learn({ audioId: id });
  }
}

/** Asks for the listener to whom the Grant tab gives points: the last one who signed in, else the demo listener. */
async function findListener(): Promise<void> {
  const { data } = (await execute({ query: '{ me { id role } }' })) as {
    data?: { me: { id: string; role: string } | null } | null;
  };
  const me = data?.me ?? null;
  if (me === null) return;
  if (me.role === 'USER') learn({ listenerId: me.id });
  else if (known.listenerId === null) {
    const query = '{ users(first: 1, search: "listener@talebank.local") { nodes { id } } }';
    const found = (await execute({ query })) as {
      data?: { users: { nodes: { id: string }[] } } | null;
    };
    const [listener] = found.data?.users.nodes ?? [];
    if (listener !== undefined) learn({ listenerId: listener.id });
  }
}

const listen = (listener: () => void): (() => void) => {
  listeners.add(listener);
  return () => listeners.delete(listener);
};

/** Writes the id of the latest narration, or of a listener, into the tabs that need it, when one of them is opened. */
function useFilledInTabs(): void {
  const name = useSyncExternalStore(onSession, who);
  const facts = useSyncExternalStore(listen, () => known);
  const { editor, tab } = useGraphiQL(({ variableEditor, tabs, activeTabIndex }) => ({
    editor: variableEditor,
    tab: tabs[activeTabIndex],
  }));
  const id = tab?.id ?? '';
  const query = tab?.query ?? '';
  const example = FILLED_IN.find((one) => query.includes(`${one.operation}(`));
  const value = example === undefined ? null : facts[example.needs];
  useEffect(() => {
    // Without an answer, the tab keeps the sentence that says where the id comes from.
    if (name !== null) void findListener().catch(() => undefined);
  }, [name]);
  useEffect(() => {
    if (example === undefined || value === null || editor === undefined) return;
    if (filledIn.get(id) === value) return;
    filledIn.set(id, value);
    editor.setValue(example.variables(value));
  }, [example, value, editor, id]);
}

/** The explanations at the top of the examples are comments, which must not be cut off in a narrow window. */
function useWrappedLines(): void {
  const editor = useGraphiQL(({ queryEditor }) => queryEditor);
  useEffect(() => {
    editor?.updateOptions({ wordWrap: 'on' });
  }, [editor]);
}

/** What this page adds to GraphiQL. It is rendered inside of GraphiQL, and its button in the page's own bar. */
export function Inside({ bar }: { bar: Element | null }): ReactNode {
  useFilledInTabs();
  useWrappedLines();
  const isOpen = useGraphiQL(({ visiblePlugin }) => visiblePlugin?.title === DOCUMENTATION);
  if (bar === null) return null;
  // Only GraphiQL's own button also makes room for the panel.
  const toggle = (): void => {
    document
      .querySelector<HTMLElement>(`.graphiql-sidebar button[aria-label$="${DOCUMENTATION}"]`)
      ?.click();
  };
  return createPortal(
    <button type="button" aria-pressed={isOpen} onClick={toggle}>
      Docs
    </button>,
    bar,
  );
}
