import type { Platform } from './leader.js';

/** Locks and channels of the browser. Without locks each tab leads itself. */
export function browserPlatform(name: string): Platform {
  const channel = new BroadcastChannel(name);
  return {
    async lead(work, signal) {
      if (!('locks' in navigator)) return work();
      try {
        await navigator.locks.request(name, { signal }, work);
      } catch {
        // The tab stopped following before it led.
      }
    },
    send: (message) => channel.postMessage(message),
    receive(listener) {
      const heard = (event: MessageEvent): void => listener(event.data);
      channel.addEventListener('message', heard);
      return () => channel.removeEventListener('message', heard);
    },
  };
}
