import { useEffect, useId, useState, type ReactElement } from 'react';
import * as m from '../paraglide/messages.js';
import { classes } from '../ui/classes.js';
import field from '../ui/field.module.css';
import { nameOfLanguage } from '../ui/format.js';
import { Select } from '../ui/select.js';
import { lengths, type Filters, type Length } from './filters.js';
import styles from './library.module.css';

interface FilterBarProps {
  readonly filters: Filters;
  readonly languages: readonly string[];
  readonly signedIn: boolean;
  readonly onChange: (filters: Filters) => void;
}

/** Typing is over when nothing was typed for so long. */
const PAUSE_MS = 250;

const LENGTH_NAMES: Readonly<Record<Length, () => string>> = {
  any: m.library_length_any,
  short: m.library_length_short,
  middle: m.library_length_middle,
  long: m.library_length_long,
};

export function FilterBar({
  filters,
  languages,
  signedIn,
  onChange,
}: FilterBarProps): ReactElement {
  const known = filters.language === '' || languages.includes(filters.language);
  const offered = known ? languages : [...languages, filters.language];
  return (
    <search className={styles.filters}>
      <SearchField filters={filters} onChange={onChange} />
      <Select
        label={m.library_language()}
        value={filters.language}
        options={[
          { value: '', name: m.library_language_any() },
          ...offered.map((value) => ({ value, name: nameOfLanguage(value) })),
        ]}
        onChange={(language) => onChange({ ...filters, language })}
      />
      <Select
        label={m.library_length()}
        value={filters.length}
        options={lengths.map((value) => ({ value, name: LENGTH_NAMES[value]() }))}
        onChange={(length) => onChange({ ...filters, length })}
      />
      {signedIn && (
        <button
          type="button"
          className={classes(field.input, styles.mine)}
          aria-pressed={filters.mine}
          onClick={() => onChange({ ...filters, mine: !filters.mine })}
        >
          {m.library_mine()}
        </button>
      )}
    </search>
  );
}

interface SearchFieldProps {
  readonly filters: Filters;
  readonly onChange: (filters: Filters) => void;
}

function SearchField({ filters, onChange }: SearchFieldProps): ReactElement {
  const id = useId();
  const [typed, setTyped] = useState(filters.search);
  useEffect(() => {
    if (typed === filters.search) return undefined;
    const timer = setTimeout(() => onChange({ ...filters, search: typed }), PAUSE_MS);
    return () => clearTimeout(timer);
  });
  return (
    <div className={classes(field.field, styles.search)}>
      <label htmlFor={id} className={field.label}>
        {m.library_search()}
      </label>
      <input
        id={id}
        type="search"
        className={field.input}
        value={typed}
        maxLength={200}
        placeholder={m.library_search_hint()}
        onChange={({ target }) => setTyped(target.value)}
      />
    </div>
  );
}
