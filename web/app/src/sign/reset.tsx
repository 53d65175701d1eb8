import { useMemo, type ReactElement } from 'react';
import { useClient } from 'urql';
import * as v from 'valibot';
import { Link, useSearch } from 'wouter';
import { failureOf } from '../api/errors.js';
import { end } from '../session/leave.js';
import { useSession } from '../session/state.js';
import { Done, Form, useForm } from '../forms/form.js';
import { NewPassword, useSettings } from '../forms/new-password.js';
import { newPassword } from '../forms/values.js';
import { graphql } from '../gql/index.js';
import * as m from '../paraglide/messages.js';
import { paths } from '../paths.js';
import { Button, buttonClass } from '../ui/button.js';
import { Card } from './card.js';
import styles from './card.module.css';

const Reset = graphql(`
  mutation ResetPassword($token: String!, $newPassword: String!) {
    resetPassword(token: $token, newPassword: $newPassword)
  }
`);

/** The page of the mailed link that sets a new password. */
export function ResetPassword(): ReactElement {
  const token = new URLSearchParams(useSearch()).get('token') ?? '';
  const client = useClient();
  const { person } = useSession();
  const { passwordMinLength } = useSettings();
  const schema = useMemo(
    () => v.object({ newPassword: newPassword(passwordMinLength) }),
    [passwordMinLength],
  );
  const form = useForm(schema, async (values) => {
    const { error } = await client.mutation(Reset, { token, ...values }).toPromise();
    const failure = failureOf(error);
    if (failure === null && person !== null) {
      // All devices are signed out, this one too. The address must not lead back to the spent link.
      history.replaceState(null, '', paths.library);
      end();
    }
    return failure;
  });
  if (token === '' || form.failure?.code === 'TOKEN_INVALID') return <Spent />;
  return (
    <Card title={m.sign_reset_title()}>
      {form.done ? (
        <>
          <Done>{m.sign_reset_done()}</Done>
          <Link href={paths.signIn()} className={buttonClass('primary')}>
            {m.sign_in_submit()}
          </Link>
        </>
      ) : (
        <Form state={form} label={m.sign_reset_title()}>
          <NewPassword
            name="newPassword"
            label={m.sign_new_password()}
            fault={form.faults['newPassword']}
          />
          <p className={styles.soft}>{m.sign_reset_text()}</p>
          <Button type="submit" kind="primary" busy={form.busy} className={styles.wide}>
            {m.sign_reset_submit()}
          </Button>
        </Form>
      )}
    </Card>
  );
}

const Spent = (): ReactElement => (
  <Card title={m.sign_spent_title()} links={<Link href={paths.signIn()}>{m.sign_back()}</Link>}>
    <p role="alert">{m.sign_reset_spent()}</p>
    <Link href={paths.forgotten} className={buttonClass('primary')}>
      {m.sign_reset_again()}
    </Link>
  </Card>
);
