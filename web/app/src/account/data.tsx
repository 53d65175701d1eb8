import { useEffect, useState, type ReactElement } from 'react';
import { useClient } from 'urql';
import * as v from 'valibot';
import { sameOrigin } from '../api/addresses.js';
import { failureOf } from '../api/errors.js';
import { PasswordField } from '../forms/field.js';
import { Done, Form, useForm } from '../forms/form.js';
import { present } from '../forms/values.js';
import { graphql } from '../gql/index.js';
import * as m from '../paraglide/messages.js';
import { Button, buttonClass } from '../ui/button.js';
import { classes } from '../ui/classes.js';
import styles from './account.module.css';
import { Section } from './section.js';

const ExportMyData = graphql(`
  mutation ExportMyData($password: String!) {
    exportMyData(password: $password) {
      url
    }
  }
`);

const schema = v.object({ password: present });

/** A file with everything that the server has stored about the person. */
export function MyData(): ReactElement {
  const client = useClient();
  const [open, setOpen] = useState(false);
  const [address, setAddress] = useState<string | null>(null);
  const state = useArchive(address);
  const form = useForm(schema, async (values) => {
    const { data, error } = await client.mutation(ExportMyData, values).toPromise();
    const failure = failureOf(error);
    // A refused answer has null as its data, or as its field.
    const made = data?.exportMyData ?? null;
    if (failure === null && made !== null) setAddress(sameOrigin(made.url));
    return failure;
  });
  const wrong = form.failure?.code === 'INVALID_CREDENTIALS';
  return (
    <Section title={m.account_data()}>
      <p className={styles.soft}>{m.account_data_text()}</p>
      {!open ? (
        <Button className={styles.start} onClick={() => setOpen(true)}>
          {m.account_data_make()}
        </Button>
      ) : address === null ? (
        <Form state={wrong ? { ...form, failure: null } : form} label={m.account_data()}>
          <PasswordField
            name="password"
            label={m.account_current_password()}
            autoComplete="current-password"
            fault={wrong ? m.account_wrong_password() : form.faults['password']}
          />
          <Button type="submit" kind="primary" busy={form.busy} className={styles.start}>
            {m.account_data_make()}
          </Button>
        </Form>
      ) : state === 'ready' ? (
        <>
          <Done>{m.account_data_ready()}</Done>
          <a className={classes(buttonClass('primary'), styles.start)} href={address} download>
            {m.account_data_download()}
          </a>
        </>
      ) : (
        <Done>{state === 'making' ? m.account_data_making() : m.account_data_failed()}</Done>
      )}
    </Section>
  );
}

const ASK_AGAIN_MS = 2_000;

/** Asks whether the archive at an address is complete, until it is. */
function useArchive(address: string | null): 'making' | 'ready' | 'failed' {
  const [state, setState] = useState<'making' | 'ready' | 'failed'>('making');
  useEffect(() => {
    if (address === null) return undefined;
    const stop = new AbortController();
    let timer: ReturnType<typeof setTimeout> | undefined;
    const ask = async (): Promise<void> => {
      const status = await statusOf(address, stop.signal);
      if (stop.signal.aborted) return;
      // A lost connection may return.
      if (status === 202 || status === null) timer = setTimeout(() => void ask(), ASK_AGAIN_MS);
      else setState(status === 200 ? 'ready' : 'failed');
    };
    void ask();
    return () => {
      stop.abort();
      clearTimeout(timer);
    };
  }, [address]);
  return state;
}

/** The body is not read, because the browser downloads it when the person presses the link. */
async function statusOf(address: string, signal: AbortSignal): Promise<number | null> {
  try {
    const answer = await fetch(address, { method: 'HEAD', signal });
    return answer.status;
  } catch {
    return null;
  }
}
