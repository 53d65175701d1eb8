import { useEffect } from 'react';

/** Names the tab, and tells screen readers that the page has changed. */
export function useTitle(title: string): void {
  useEffect(() => {
    document.title = title === '' ? 'Talebank' : `${title} – Talebank`;
  }, [title]);
}
