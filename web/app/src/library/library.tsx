import { useRef, type ReactElement } from 'react';
import { useQuery } from 'urql';
import { Link, useLocation, useSearch } from 'wouter';
import { textOf } from '../api/errors.js';
import { useSession } from '../session/state.js';
import * as m from '../paraglide/messages.js';
import { paths } from '../paths.js';
import { Button } from '../ui/button.js';
import { formatNumber } from '../ui/format.js';
import { useTitle } from '../ui/title.js';
import { ContinueShelf } from './continue-shelf.js';
import { FilterBar } from './filter-bar.js';
import { isFiltered, readFilters, writeFilters, type Filters } from './filters.js';
import { Grid } from './grid.js';
import styles from './library.module.css';
import { ContinueListening } from './queries.js';
import { useStories, type Stories } from './use-stories.js';

export function Library(): ReactElement {
  useTitle('');
  const { person } = useSession();
  const [, navigate] = useLocation();
  const filters = readFilters(useSearch());
  const found = useStories(filters, person !== null);
  const [begun] = useQuery({ query: ContinueListening, variables: {}, pause: person === null });
  const show = (next: Filters): void => {
    const query = writeFilters(next);
    navigate(query === '' ? paths.library : `${paths.library}?${query}`, { replace: true });
  };
  // The shelf stands above the stories: they wait for it, so that they do not move down.
  const ready =
    found.loaded && (person === null || begun.data !== undefined || begun.error !== undefined);
  const begins = useRef(true);
  if (ready) begins.current = false;
  const shelf = begun.data?.continueListening ?? [];
  const hasShelf = shelf.length > 0 && !isFiltered(filters);
  return (
    <div className={styles.library}>
      <h1>{m.library_title()}</h1>
      {!begins.current && (
        <>
          {person === null && found.welcomePoints > 0 && <Welcome points={found.welcomePoints} />}
          {hasShelf && <ContinueShelf audios={shelf} />}
          <FilterBar
            filters={filters}
            languages={found.languages}
            tags={found.tags}
            signedIn={person !== null}
            onChange={show}
          />
        </>
      )}
      {ready ? (
        <Found found={found} filters={filters} onClear={() => show(readFilters(''))} />
      ) : (
        <Skeleton />
      )}
    </div>
  );
}

const Welcome = ({ points }: { points: number }): ReactElement => (
  <p className={styles.welcome}>
    {m.library_welcome({ count: points, shown: formatNumber(points) })}{' '}
    <Link href={paths.signUp()}>{m.library_create_account()}</Link>
  </p>
);

interface FoundProps {
  readonly found: Stories;
  readonly filters: Filters;
  readonly onClear: () => void;
}

function Found({ found, filters, onClear }: FoundProps): ReactElement {
  const { stories, more, failure } = found;
  const count = stories.length;
  if (failure !== null)
    return (
      <div className={styles.none} role="alert">
        <p>{textOf(failure)}</p>
        <Button onClick={found.retry}>{m.frame_retry()}</Button>
      </div>
    );
  if (count === 0 && !more)
    return (
      <div className={styles.none} role="status">
        <p>{filters.mine ? m.library_none_mine() : m.library_none()}</p>
        {isFiltered(filters) && <Button onClick={onClear}>{m.library_clear()}</Button>}
      </div>
    );
  return (
    <>
      <Grid stories={stories} onEnd={found.loadMore} />
      <p className={styles.end} role="status">
        {more
          ? m.frame_loading()
          : isFiltered(filters)
            ? m.library_end_filtered({ count, shown: formatNumber(count) })
            : m.library_end({ count, shown: formatNumber(count) })}
      </p>
    </>
  );
}

/** The places of cards, so that nothing moves when the stories arrive. */
function Skeleton(): ReactElement {
  return (
    <div className={styles.row} role="status" aria-label={m.frame_loading()}>
      {Array.from({ length: 10 }, (_, index) => (
        <div key={index} className={styles.blank} />
      ))}
    </div>
  );
}
