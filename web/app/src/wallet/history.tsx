import { type ReactElement } from 'react';
import { useLocation, useSearch } from 'wouter';
import type { CreditTransactionType } from '../gql/graphql.js';
import { Refusal } from '../forms/form.js';
import * as m from '../paraglide/messages.js';
import { Button } from '../ui/button.js';
import { formatDate } from '../ui/format.js';
import { Select } from '../ui/select.js';
import { Export } from './export.js';
import { useHistory, type Filter, type Movement } from './history-query.js';
import { MovementRow, nameOfType } from './movement.js';
import { nameOfSource, SOURCES } from './sources.js';
import styles from './wallet.module.css';

const TYPES: readonly CreditTransactionType[] = [
  'DEBIT',
  'REFUND',
  'GRANT',
  'EXPIRY',
  'REVOCATION',
];
const ALL = 'ALL';

/** The filters are in the address, so that they survive a reload and can be passed on. */
function useFilter(): [Filter, (filter: Filter) => void] {
  const search = new URLSearchParams(useSearch());
  const [path, go] = useLocation();
  const filter = {
    type: TYPES.find((type) => type === search.get('type')) ?? null,
    source: SOURCES.find((source) => source === search.get('source')) ?? null,
  };
  const set = ({ type, source }: Filter): void => {
    const next = new URLSearchParams();
    if (type !== null) next.set('type', type);
    if (source !== null) next.set('source', source);
    const query = next.toString();
    go(query === '' ? path : `${path}?${query}`, { replace: true });
  };
  return [filter, set];
}

export function History({ version }: { version: number }): ReactElement {
  const [filter, setFilter] = useFilter();
  const history = useHistory(filter, version);
  const { rows, status, failure, after } = history;
  return (
    <section className={styles.section} aria-label={m.wallet_history()}>
      <h2>{m.wallet_history()}</h2>
      <div className={styles.tools}>
        <Select
          label={m.wallet_kind()}
          value={filter.type ?? ALL}
          options={[
            { value: ALL, name: m.wallet_all() },
            ...TYPES.map((value) => ({ value, name: nameOfType(value) })),
          ]}
          onChange={(type) => setFilter({ ...filter, type: type === ALL ? null : type })}
        />
        <Select
          label={m.wallet_source()}
          value={filter.source ?? ALL}
          options={[
            { value: ALL, name: m.wallet_all() },
            ...SOURCES.map((value) => ({ value, name: nameOfSource(value) })),
          ]}
          onChange={(source) => setFilter({ ...filter, source: source === ALL ? null : source })}
        />
        <Export filter={filter} />
      </div>
      <Refusal failure={failure} />
      <Months rows={rows} />
      {rows.length === 0 && status === 'idle' && failure === null && (
        <p className={styles.soft}>{m.wallet_history_empty()}</p>
      )}
      {after !== null && (
        <Button className={styles.noPrint} busy={status === 'reading'} onClick={history.more}>
          {m.wallet_more()}
        </Button>
      )}
      {rows.length > 0 && after === null && <p className={styles.end}>{m.wallet_history_end()}</p>}
    </section>
  );
}

function Months({ rows }: { rows: readonly Movement[] }): ReactElement {
  const months = new Map<string, Movement[]>();
  for (const row of rows) {
    const month = formatDate(row.effectiveAt, { month: 'long', year: 'numeric' });
    months.set(month, [...(months.get(month) ?? []), row]);
  }
  return (
    <>
      {[...months].map(([month, movements]) => (
        <div key={month}>
          <h3 className={styles.monthTitle}>{month}</h3>
          <div className={styles.columns} aria-hidden>
            <span className={styles.date}>{m.wallet_day()}</span>
            <span>{m.wallet_what()}</span>
            <span className={styles.number}>{m.wallet_points()}</span>
            <span className={styles.number}>{m.wallet_balance()}</span>
          </div>
          {movements.map((movement) => (
            <MovementRow key={movement.id} movement={movement} />
          ))}
        </div>
      ))}
    </>
  );
}
