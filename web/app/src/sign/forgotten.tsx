import type { ReactElement } from 'react';
import { useClient } from 'urql';
import * as v from 'valibot';
import { Link } from 'wouter';
import { failureOf } from '../api/errors.js';
import { EmailField } from '../forms/field.js';
import { Done, Form, useForm } from '../forms/form.js';
import { email } from '../forms/values.js';
import { graphql } from '../gql/index.js';
import * as m from '../paraglide/messages.js';
import { paths } from '../paths.js';
import { Button } from '../ui/button.js';
import { Card } from './card.js';
import styles from './card.module.css';
import { useDemoAccounts } from './demo-accounts.js';

const Forget = graphql(`
  mutation RequestPasswordReset($email: String!) {
    requestPasswordReset(email: $email)
  }
`);

const schema = v.object({ email });

/** The answer is the same for every address, because it must not tell who has an account. */
export function Forgotten(): ReactElement {
  const client = useClient();
  const form = useForm(schema, async (values) =>
    failureOf((await client.mutation(Forget, values).toPromise()).error),
  );
  return (
    <Card
      title={m.sign_forgotten_title()}
      links={<Link href={paths.signIn()}>{m.sign_back()}</Link>}
    >
      {form.done ? (
        <>
          <Done>{m.sign_forgotten_done()}</Done>
          <MailHere />
        </>
      ) : (
        <>
          <p className={styles.soft}>{m.sign_forgotten_text()}</p>
          <Form state={form} label={m.sign_forgotten_title()}>
            <EmailField fault={form.faults['email']} />
            <Button type="submit" kind="primary" busy={form.busy} className={styles.wide}>
              {m.sign_forgotten_submit()}
            </Button>
          </Form>
        </>
      )}
    </Card>
  );
}

/** On a server for trying, mail is shown instead of sent. */
function MailHere(): ReactElement | null {
  return useDemoAccounts().length === 0 ? null : (
    <p>
      <a href="/dev/mail">{m.sign_mail_here()}</a>
    </p>
  );
}
