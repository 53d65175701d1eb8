import { useEffect, useId, useState, type ReactElement } from 'react';
import * as m from '../paraglide/messages.js';
import { classes } from '../ui/classes.js';
import field from '../ui/field.module.css';
import { nameOfLanguage } from '../ui/format.js';
import { Select } from '../ui/select.js';
import { ages, lengths, orders, type Filters, type Length, type Order } from './filters.js';
import styles from './library.module.css';

interface FilterBarProps {
  readonly filters: Filters;
  readonly languages: readonly string[];
  readonly tags: readonly string[];
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

const ORDER_NAMES: Readonly<Record<Order, () => string>> = {
  LIBRARY: m.library_order_library,
  NEWEST: m.library_order_newest,
  TITLE: m.library_order_title,
  SHORTEST: m.library_order_shortest,
  LONGEST: m.library_order_longest,
};

export function FilterBar({
  filters,
  languages,
  tags,
  signedIn,
  onChange,
}: FilterBarProps): ReactElement {
  const offered = withOwn(languages, filters.language);
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
      <Select
        label={m.library_tag()}
        value={filters.tag}
        options={[
          { value: '', name: m.library_tag_any() },
          ...withOwn(tags, filters.tag).map((value) => ({ value, name: value })),
        ]}
        onChange={(tag) => onChange({ ...filters, tag })}
      />
      <Select
        label={m.library_age()}
        value={String(filters.age ?? '')}
        options={[
          { value: '', name: m.library_age_any() },
          ...withOwn(ages.map(String), String(filters.age ?? '')).map((value) => ({
            value,
            name: m.library_age_years({ count: Number(value) }),
          })),
        ]}
        onChange={(age) => onChange({ ...filters, age: age === '' ? null : Number(age) })}
      />
      <Select
        label={m.library_order()}
        value={filters.order}
        options={orders.map((value) => ({ value, name: ORDER_NAMES[value]() }))}
        onChange={(order) => onChange({ ...filters, order })}
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

/** The options, including a value from the address that is not offered. */
const withOwn = (offered: readonly string[], own: string): readonly string[] =>
  own === '' || offered.includes(own) ? offered : [...offered, own];

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
