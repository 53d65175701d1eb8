import { useGraphiQL } from '@graphiql/react';
import { useEffect, useSyncExternalStore } from 'react';
import { ABOUT_THE_NARRATION, aboutNarration } from './examples.js';

/** The narration that was asked for last on this page. */
let latest: string | null = null;
const listeners = new Set<() => void>();
/** By tab: each is told of a narration once, so that another id can be written there. */
const told = new Map<string, string>();

/** Remembers the narration in an answer, where there is one. */
export function noticeNarration({ data }: { data?: Record<string, unknown> | null }): void {
  for (const value of Object.values(data ?? {})) {
    const id = (value as { audio?: { id?: unknown } } | null)?.audio?.id;
    if (typeof id === 'string') latest = id;
  }
  for (const listener of listeners) listener();
}

const listen = (listener: () => void): (() => void) => {
  listeners.add(listener);
  return () => listeners.delete(listener);
};

/** Inside of GraphiQL: writes the id of the latest narration into the tabs that go on with it, when one looks at them. */
export function PassingOn(): null {
  const audioId = useSyncExternalStore(listen, () => latest);
  const { editor, tab } = useGraphiQL(({ variableEditor, tabs, activeTabIndex }) => ({
    editor: variableEditor,
    tab: tabs[activeTabIndex],
  }));
  const id = tab?.id ?? '';
  const query = tab?.query ?? '';
  const isAbout = ABOUT_THE_NARRATION.some((name) => query.includes(`${name}(`));
  useEffect(() => {
    if (audioId === null || editor === undefined || !isAbout || told.get(id) === audioId) return;
    told.set(id, audioId);
    editor.setValue(aboutNarration(audioId));
  }, [audioId, editor, id, isAbout]);
  return null;
}
