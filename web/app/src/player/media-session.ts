import { pictureOf } from '../cover/picture.js';
import { player } from './player.js';

interface About {
  readonly slug: string;
  readonly title: string;
  readonly author: string;
}

/** Headphones, keyboards and lock screens control the player, too. */
export function listenToMediaKeys(): void {
  if (!('mediaSession' in navigator)) return;
  const { mediaSession } = navigator;
  const actions: [MediaSessionAction, MediaSessionActionHandler][] = [
    ['play', () => player.play()],
    ['pause', () => player.pause()],
    ['stop', () => player.close()],
    ['seekbackward', ({ seekOffset }) => player.skip(-(seekOffset ?? 15))],
    ['seekforward', ({ seekOffset }) => player.skip(seekOffset ?? 15)],
    ['previoustrack', () => player.previousSentence()],
    ['nexttrack', () => player.nextSentence()],
    ['seekto', ({ seekTime }) => player.seek((seekTime ?? 0) * 1000)],
  ];
  for (const [action, handler] of actions) {
    try {
      mediaSession.setActionHandler(action, handler);
    } catch {
      // The browser does not know this action.
    }
  }
}

let picture: string | null = null;

/** Shows on the lock screen what is played. */
export async function showOnLockScreen(about: About | null): Promise<void> {
  if (!('mediaSession' in navigator)) return;
  if (picture !== null) URL.revokeObjectURL(picture);
  picture = null;
  if (about === null) {
    navigator.mediaSession.metadata = null;
    return;
  }
  const { slug, title, author } = about;
  navigator.mediaSession.metadata = new MediaMetadata({ title, artist: author });
  picture = await pictureOf(slug, title);
  if (picture === null) return;
  const artwork = [{ src: picture, sizes: '512x512', type: 'image/png' }];
  navigator.mediaSession.metadata = new MediaMetadata({ title, artist: author, artwork });
}

export function showProgress(seconds: number, durationSeconds: number | null, rate: number): void {
  if (!('mediaSession' in navigator) || durationSeconds === null || durationSeconds <= 0) return;
  navigator.mediaSession.setPositionState({
    duration: durationSeconds,
    position: Math.min(seconds, durationSeconds),
    playbackRate: rate,
  });
}
