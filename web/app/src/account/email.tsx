import { useState, type ReactElement } from 'react';
import { useClient } from 'urql';
import * as v from 'valibot';
import { failureOf } from '../api/errors.js';
import { EmailField, PasswordField } from '../forms/field.js';
import { Done, Form, useForm } from '../forms/form.js';
import { email, present } from '../forms/values.js';
import { graphql } from '../gql/index.js';
import * as m from '../paraglide/messages.js';
import { Button } from '../ui/button.js';
import styles from './account.module.css';

const ChangeEmail = graphql(`
  mutation ChangeEmail($newEmail: String!, $password: String!) {
    changeEmail(newEmail: $newEmail, password: $password)
  }
`);

const schema = v.object({ newEmail: email, password: present });

/** Requests a change of the address. It changes when the link that is mailed to the new address is opened. */
export function ChangeAddress({ pending }: { pending: string | null }): ReactElement {
  const client = useClient();
  const [open, setOpen] = useState(false);
  const [asked, setAsked] = useState(pending);
  const form = useForm(schema, async (values) => {
    const { error } = await client.mutation(ChangeEmail, values).toPromise();
    const failure = failureOf(error);
    if (failure === null) {
      setAsked(values.newEmail);
      setOpen(false);
    }
    return failure;
  });
  const wrong = form.failure?.code === 'INVALID_CREDENTIALS';
  return (
    <>
      {asked !== null && <Done>{m.account_email_pending({ email: asked })}</Done>}
      {open ? (
        <Form state={wrong ? { ...form, failure: null } : form} label={m.account_change_email()}>
          <EmailField
            name="newEmail"
            label={m.account_new_email()}
            autoComplete="email"
            fault={form.faults['newEmail']}
          />
          <PasswordField
            name="password"
            label={m.account_current_password()}
            autoComplete="current-password"
            fault={wrong ? m.account_wrong_password() : form.faults['password']}
          />
          <p className={styles.soft}>{m.account_email_text()}</p>
          <Button type="submit" kind="primary" busy={form.busy} className={styles.start}>
            {m.account_send_link()}
          </Button>
        </Form>
      ) : (
        <Button className={styles.start} onClick={() => setOpen(true)}>
          {m.account_change_email()}
        </Button>
      )}
    </>
  );
}
