import { useEffect, type ReactElement } from 'react';
import { useClient } from 'urql';
import { useRoute } from 'wouter';
import { useOverdue } from '../api/use-overdue.js';
import { patterns } from '../paths.js';
import { listenToMediaKeys, showOnLockScreen, showProgress } from './media-session.js';
import { trackOf, useOpenAudio, useSentences } from './open-audio.js';
import { host, player } from './player.js';
import { playerPosition, usePlayer } from './state.js';
import { PlayerLine } from './player-line.js';
import { PlayerAudio } from './queries.js';
import { reportListening } from './reports.js';

/** Connects the player with the server and with the browser, and shows it below every page but its own. */
export function PlayerHost(): ReactElement | null {
  const client = useClient();
  const { audio, fresh } = useOpenAudio();
  const sentences = useSentences(audio);
  useOverdue(audio);
  const { playing, rate, durationSeconds } = usePlayer();
  const [onOwnPage] = useRoute(patterns.listen);
  useEffect(() => {
    host.report = (id, position, why) => reportListening(client, id, position, why);
    host.renew = async (id) => {
      const answer = client.query(PlayerAudio, { id }, { requestPolicy: 'network-only' });
      const { data } = await answer.toPromise();
      return data?.audio == null ? null : trackOf(data.audio);
    };
    listenToMediaKeys();
  }, [client]);
  useEffect(() => {
    if (audio !== null && fresh) player.update(trackOf(audio));
  }, [audio, fresh]);
  useEffect(() => player.setSentences(sentences), [sentences]);
  const story = audio?.story;
  const [slug, title, author] = [story?.slug, story?.title, story?.author];
  useEffect(() => {
    const known = slug !== undefined && title !== undefined && author !== undefined;
    void showOnLockScreen(known ? { slug, title, author } : null);
  }, [slug, title, author]);
  useEffect(() => {
    showProgress(playerPosition.get() / 1000, durationSeconds, rate);
  }, [playing, rate, durationSeconds]);
  if (audio === null || onOwnPage) return null;
  return <PlayerLine audio={audio} />;
}
