import { Bell, BookAudio, CircleAlert, CirclePlus, Hourglass } from 'lucide-react';
import { useEffect, useState, type ComponentType, type ReactElement } from 'react';
import { useClient, useQuery } from 'urql';
import { Link } from 'wouter';
import { failureOf } from '../api/errors.js';
import { Refusal } from '../forms/form.js';
import { Loading } from '../frame/loading.js';
import { noticeArrived, useNoticesArrived } from '../frame/notice-bell.js';
import { SignedIn } from '../frame/signed-in.js';
import type { NoticeFieldsFragment, NoticeKind } from '../gql/graphql.js';
import * as m from '../paraglide/messages.js';
import { paths } from '../paths.js';
import { classes } from '../ui/classes.js';
import { formatDate, formatDay, formatNumber } from '../ui/format.js';
import { useTitle } from '../ui/title.js';
import styles from './notices.module.css';
import { MarkRead, Notices } from './query.js';

export const NoticesPage = (): ReactElement => (
  <SignedIn>
    <List />
  </SignedIn>
);

function List(): ReactElement {
  useTitle(m.notices_title());
  const client = useClient();
  const [{ data, error }, read] = useQuery({ query: Notices, variables: {} });
  const count = useNoticesArrived();
  const [fresh, setFresh] = useState<ReadonlySet<string>>(new Set());
  const nodes = data?.me?.notices.nodes;
  const newest = nodes?.find(({ readAt }) => readAt == null)?.id;
  useEffect(() => {
    if (count > 0) read({ requestPolicy: 'network-only' });
  }, [count, read]);
  useEffect(() => {
    if (newest === undefined || nodes === undefined) return;
    // What was new when the page was opened stays marked, although the server counts it as read.
    const unread = nodes.filter(({ readAt }) => readAt == null).map(({ id }) => id);
    setFresh((before) => new Set([...before, ...unread]));
    void client
      .mutation(MarkRead, { upTo: newest })
      .toPromise()
      .then(({ error: refused }) => {
        if (refused === undefined) noticeArrived();
      });
    // Each newest notice is reported once.
  }, [newest]);
  if (nodes === undefined) return error === undefined ? <Loading /> : <Refused error={error} />;
  return (
    <div className={styles.page}>
      <h1>{m.notices_title()}</h1>
      {nodes.length === 0 && <p className={styles.soft}>{m.notices_none()}</p>}
      <ul className={styles.list}>
        {nodes.map((notice) => (
          <Row key={notice.id} notice={notice} isNew={fresh.has(notice.id)} />
        ))}
      </ul>
    </div>
  );
}

const Refused = ({ error }: { error: Parameters<typeof failureOf>[0] }): ReactElement => (
  <div className={styles.page}>
    <h1>{m.notices_title()}</h1>
    <Refusal failure={failureOf(error)} />
  </div>
);

const ICONS: Readonly<Record<NoticeKind, ComponentType<{ size?: number; strokeWidth?: number }>>> =
  {
    NARRATION_FAILED: CircleAlert,
    NARRATION_READY: BookAudio,
    POINTS_GRANTED: CirclePlus,
    POINTS_LAPSE: Hourglass,
    POINTS_LOW: Bell,
  };

function Row({ notice, isNew }: { notice: NoticeFieldsFragment; isNew: boolean }): ReactElement {
  const Icon = ICONS[notice.kind];
  const story = notice.audio?.story;
  return (
    <li className={classes(styles.row, isNew && styles.fresh)}>
      <span className={styles.icon} aria-hidden>
        <Icon size={20} strokeWidth={1.75} />
      </span>
      <div>
        <p>
          {isNew && <span className="visually-hidden">{m.notices_new()} </span>}
          {textOf(notice)}
        </p>
        <p className={styles.soft}>
          {formatDate(notice.at, { dateStyle: 'medium', timeStyle: 'short' })}
        </p>
      </div>
      {story == null ? (
        <Link href={paths.wallet}>{m.frame_wallet()}</Link>
      ) : (
        <Link href={paths.story(story.slug)}>{m.notices_to_story()}</Link>
      )}
    </li>
  );
}

/** The notice in words of the reader's language. */
function textOf({ kind, points, lapsesAt, audio }: NoticeFieldsFragment): string {
  const title = audio?.story.title ?? '…';
  const count = points ?? 0;
  const shown = m.frame_points({ count, shown: formatNumber(count) });
  if (kind === 'NARRATION_READY') return m.notices_ready({ title });
  if (kind === 'NARRATION_FAILED') return m.notices_failed({ title });
  if (kind === 'POINTS_GRANTED') return m.notices_granted({ points: shown });
  if (kind === 'POINTS_LOW') return m.notices_low({ points: shown });
  return m.wallet_lapse({ count, points: shown, day: formatDay(lapsesAt ?? new Date()) });
}
