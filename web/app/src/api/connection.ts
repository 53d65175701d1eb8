import { createStore, useStore } from './store.js';

/** Whether the server can be reached, as far as this tab knows. */
export const connected = createStore(navigator.onLine);
export const useConnected = (): boolean => useStore(connected);

window.addEventListener('offline', () => connected.set(false));
window.addEventListener('online', () => connected.set(true));
