import { useEffect, useState, type ReactElement } from 'react';
import * as v from 'valibot';
import type { Failure } from '../api/errors.js';
import { signIn } from '../session/enter.js';
import { Refusal } from '../forms/form.js';
import * as m from '../paraglide/messages.js';
import { Button } from '../ui/button.js';
import styles from './card.module.css';

const Accounts = v.object({
  accounts: v.array(v.object({ email: v.string(), password: v.string() })),
});
type Account = v.InferOutput<typeof Accounts>['accounts'][number];

/** The accounts for trying the app. A server that is not for trying has none. */
export function useDemoAccounts(): readonly Account[] {
  const [accounts, setAccounts] = useState<readonly Account[]>([]);
  useEffect(() => {
    const leaving = new AbortController();
    fetch('/demo-accounts.json', { signal: leaving.signal })
      .then((response) => response.json())
      .then((body) => setAccounts(v.parse(Accounts, body).accounts))
      .catch(() => undefined);
    return () => leaving.abort();
  }, []);
  return accounts;
}

export function DemoAccounts(): ReactElement | null {
  const accounts = useDemoAccounts();
  const [busy, setBusy] = useState(false);
  const [failure, setFailure] = useState<Failure | null>(null);
  const enter = async (account: Account): Promise<void> => {
    setBusy(true);
    setFailure(await signIn(account));
    setBusy(false);
  };
  if (accounts.length === 0) return null;
  return (
    <div className={styles.demo}>
      <p className={styles.soft}>{m.sign_demo_text()}</p>
      <Refusal failure={failure} />
      {accounts.map((account) => (
        <Button key={account.email} busy={busy} onClick={() => void enter(account)}>
          <span className={styles.demoName}>
            {m.sign_demo_listener()}
            <span className={styles.demoEmail}>{account.email}</span>
          </span>
        </Button>
      ))}
    </div>
  );
}
