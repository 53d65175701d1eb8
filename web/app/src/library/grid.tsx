import { useEffect, useRef, useState, type ReactElement } from 'react';
import { WindowVirtualizer, type WindowVirtualizerHandle } from 'virtua';
import type { StoryCardFragment } from '../gql/graphql.js';
import { Card } from './card.js';
import styles from './library.module.css';

/** Columns by the width of the window, the narrowest last. */
const COLUMNS: readonly (readonly [query: string, columns: number])[] = [
  ['(min-width: 64rem)', 5],
  ['(min-width: 40rem)', 3],
];

interface GridProps {
  readonly stories: readonly StoryCardFragment[];
  readonly onEnd: () => void;
}

/** Draws only the rows near the window, so that a library of thousands scrolls as well as one of ten. */
export function Grid({ stories, onEnd }: GridProps): ReactElement {
  const columns = useColumns();
  const list = useRef<WindowVirtualizerHandle>(null);
  const rows = Array.from({ length: Math.ceil(stories.length / columns) }, (_, row) =>
    stories.slice(row * columns, (row + 1) * columns),
  );
  return (
    <div role="list">
      <WindowVirtualizer
        ref={list}
        key={columns}
        itemSize={rowHeight(columns)}
        onScroll={() => {
          const last = list.current?.findItemIndex(window.scrollY + 2 * window.innerHeight) ?? 0;
          if (last >= rows.length - 2) onEnd();
        }}
      >
        {rows.map((row) => (
          <div key={row[0]?.id} className={styles.row}>
            {row.map((story) => (
              <Card key={story.id} story={story} />
            ))}
          </div>
        ))}
      </WindowVirtualizer>
    </div>
  );
}

/** About how high a row is, so that what stands below does not move when the rows are measured. */
const rowHeight = (columns: number): number =>
  (Math.min(window.innerWidth - 48, 1152) / columns) * 1.3 + 160;

function useColumns(): number {
  const [columns, setColumns] = useState(count);
  useEffect(() => {
    const queries = COLUMNS.map(([query]) => matchMedia(query));
    const update = (): void => setColumns(count());
    for (const query of queries) query.addEventListener('change', update);
    return () => {
      for (const query of queries) query.removeEventListener('change', update);
    };
  }, []);
  return columns;
}

const count = (): number => COLUMNS.find(([query]) => matchMedia(query).matches)?.[1] ?? 2;
