import { Bell } from 'lucide-react';
import { useEffect, useRef, type ReactElement } from 'react';
import { useQuery } from 'urql';
import { Link } from 'wouter';
import { createStore, useStore } from '../api/store.js';
import { Unread } from '../notices/query.js';
import * as m from '../paraglide/messages.js';
import { paths } from '../paths.js';
import { formatNumber } from '../ui/format.js';
import styles from './notice-bell.module.css';

/** Counts how often notices have come or were read. */
const arrived = createStore(0);

export const noticeArrived = (): void => arrived.set(arrived.get() + 1);

export const useNoticesArrived = (): number => useStore(arrived);

const SHOWN_MAX = 99;
/** Hundreds of notices may come one after the other, and their number is not read for each of them. */
const READ_EVERY_MS = 2000;

/** Leads to the notices, and says how many are new. */
export function NoticeBell(): ReactElement {
  const [{ data }, read] = useQuery({ query: Unread, variables: {} });
  const count = useNoticesArrived();
  const readAt = useRef(-Infinity);
  useEffect(() => {
    if (count === 0) return undefined;
    const again = (): void => {
      readAt.current = performance.now();
      read({ requestPolicy: 'network-only' });
    };
    const timer = setTimeout(again, readAt.current + READ_EVERY_MS - performance.now());
    return () => clearTimeout(timer);
  }, [count, read]);
  const unread = data?.me?.notices.unread ?? 0;
  const name =
    unread === 0
      ? m.notices_title()
      : m.notices_unread({ count: unread, shown: formatNumber(unread) });
  return (
    <Link href={paths.notices} className={styles.bell} aria-label={name} title={name}>
      <Bell size={20} strokeWidth={1.75} aria-hidden />
      {unread > 0 && (
        <span className={styles.count} aria-hidden>
          {unread > SHOWN_MAX ? `${String(SHOWN_MAX)}+` : unread}
        </span>
      )}
    </Link>
  );
}
