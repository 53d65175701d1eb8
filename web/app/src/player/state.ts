import { createStore, useStore } from '../api/store.js';
import { CLOSED, type PlayerState } from './machine/state.js';

export const playerState = createStore<PlayerState>(CLOSED);
/** In milliseconds. It changes often, so that only what shows it follows it. */
export const playerPosition = createStore(0);

export const usePlayer = (): PlayerState => useStore(playerState);
export const usePosition = (): number => useStore(playerPosition);
