import type { ReactElement } from 'react';
import * as m from '../paraglide/messages.js';
import { Select } from '../ui/select.js';
import { fonts, lines, setReading, sizes, useReading, type Font } from './settings.js';
import styles from './reading-settings.module.css';

/** Names of typefaces are the same in every language. */
const FONT_NAMES: Readonly<Record<Font, string>> = {
  literata: 'Literata',
  atkinson: 'Atkinson Hyperlegible',
  opendyslexic: 'OpenDyslexic',
};

export function ReadingSettings(): ReactElement {
  const { font, size, line, wide } = useReading();
  return (
    <div className={styles.settings}>
      <Select
        label={m.reading_font()}
        value={font}
        options={fonts.map((value) => ({ value, name: FONT_NAMES[value] }))}
        onChange={(value) => setReading({ font: value })}
      />
      <Select
        label={m.reading_size()}
        value={String(size)}
        options={sizes.map((value) => ({ value: String(value), name: `${value} px` }))}
        onChange={(value) => setReading({ size: Number(value) })}
      />
      <Select
        label={m.reading_line()}
        value={String(line)}
        options={lines.map((value, index) => ({
          value: String(value),
          name: [m.reading_line_close, m.reading_line_usual, m.reading_line_wide][index]?.() ?? '',
        }))}
        onChange={(value) => setReading({ line: Number(value) })}
      />
      <label className={styles.check}>
        <input
          type="checkbox"
          checked={wide}
          onChange={({ target }) => setReading({ wide: target.checked })}
        />
        {m.reading_spacing()}
      </label>
    </div>
  );
}
