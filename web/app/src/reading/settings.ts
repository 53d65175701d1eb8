import { createStore, useStore } from '../api/store.js';
import { readStored, writeStored } from '../api/stored.js';

/** How stories are set. It belongs to the device, because eyes and screens differ. */
export interface Reading {
  readonly font: Font;
  /** In pixels at the usual size of text. */
  readonly size: number;
  readonly line: number;
  readonly wide: boolean;
}

export const fonts = ['literata', 'atkinson', 'opendyslexic'] as const;
export type Font = (typeof fonts)[number];
export const sizes = [16, 18, 20, 23, 27, 32] as const;
export const lines = [1.5, 1.7, 2] as const;

const USUAL: Reading = { font: 'literata', size: 20, line: 1.7, wide: false };

function read(): Reading {
  try {
    const kept = JSON.parse(readStored('reading') ?? '') as Partial<Reading>;
    return {
      font: fonts.find((font) => font === kept.font) ?? USUAL.font,
      size: sizes.find((size) => size === kept.size) ?? USUAL.size,
      line: lines.find((line) => line === kept.line) ?? USUAL.line,
      wide: kept.wide === true,
    };
  } catch {
    return USUAL;
  }
}

const store = createStore(read());
export const useReading = (): Reading => useStore(store);

export function setReading(part: Partial<Reading>): void {
  const next = { ...store.get(), ...part };
  writeStored('reading', JSON.stringify(next));
  store.set(next);
}

const FAMILIES: Readonly<Record<Font, string>> = {
  literata: 'var(--story)',
  atkinson: "'Atkinson Hyperlegible', 'Atkinson Fallback', sans-serif",
  opendyslexic: "'OpenDyslexic', sans-serif",
};

/** The style of a text that is read. */
export const styleOf = ({ font, size, line, wide }: Reading): Record<string, string> => ({
  fontFamily: FAMILIES[font],
  fontSize: `${size / 16}rem`,
  lineHeight: String(line),
  ...(wide ? { letterSpacing: '0.06em', wordSpacing: '0.16em' } : {}),
});
