import { Download } from 'lucide-react';
import { useState, type ReactElement } from 'react';
import { useClient, type Client } from 'urql';
import type { Failure } from '../api/errors.js';
import { Refusal } from '../forms/form.js';
import * as m from '../paraglide/messages.js';
import { Button } from '../ui/button.js';
import { readPage, type Filter, type Movement, type Page } from './history-query.js';
import { nameOfType } from './movement.js';
import { nameOfSource } from './sources.js';
import styles from './wallet.module.css';

const PAGE_MAX = 100;

/** Writes the filtered history as a file, all of it and not only what is shown. */
export function Export({ filter }: { filter: Filter }): ReactElement {
  const client = useClient();
  const [busy, setBusy] = useState(false);
  const [failure, setFailure] = useState<Failure | null>(null);
  const run = async (): Promise<void> => {
    setBusy(true);
    setFailure(null);
    const rows = await readAll(client, filter);
    if ('code' in rows) setFailure(rows);
    else await save(rows);
    setBusy(false);
  };
  return (
    <>
      <Button className={styles.action} busy={busy} onClick={() => void run()}>
        <Download size={20} strokeWidth={1.75} aria-hidden />
        {m.wallet_export()}
      </Button>
      <Refusal failure={failure} />
    </>
  );
}

async function readAll(client: Client, filter: Filter): Promise<readonly Movement[] | Failure> {
  const rows: Movement[] = [];
  let next: { after: string | null } | null = { after: null };
  while (next !== null) {
    const page: Page | Failure = await readPage(client, filter, { first: PAGE_MAX, ...next });
    if ('code' in page) {
      if (page.code !== 'RATE_LIMITED') return page;
      // A long history has more pages than may be read in a minute.
      await pause(page.retryAfterSeconds ?? 60);
    } else {
      rows.push(...page.rows);
      next = page.after === null ? null : { after: page.after };
    }
  }
  return rows;
}

const pause = (seconds: number): Promise<void> =>
  new Promise((resolve) => setTimeout(resolve, seconds * 1000));

/** Loaded only for an export. */
async function save(rows: readonly Movement[]): Promise<void> {
  const { default: papa } = await import('papaparse');
  const csv = papa.unparse(
    rows.map((row) => ({
      [m.wallet_day()]: row.effectiveAt,
      [m.wallet_kind()]: nameOfType(row.type),
      [m.wallet_what()]: row.story?.title ?? row.reason ?? '',
      [m.wallet_points()]: row.amount,
      [m.wallet_balance()]: row.balanceAfter,
      [m.wallet_source()]: row.allocations.map(({ lot }) => nameOfSource(lot.source)).join(', '),
    })),
    // A cell that begins with = or a sign would be run by a spreadsheet. Numbers stay numbers.
    { escapeFormulae: true },
  );
  // The mark at the start tells Excel that the text is UTF-8.
  const address = URL.createObjectURL(new Blob(['\uFEFF', csv], { type: 'text/csv' }));
  const link = document.createElement('a');
  link.href = address;
  link.download = 'talebank.csv';
  link.click();
  URL.revokeObjectURL(address);
}
