import { useEffect, type ReactElement } from 'react';
import * as v from 'valibot';
import { Link, useLocation, useSearch } from 'wouter';
import { signIn } from '../session/enter.js';
import { useSession } from '../session/state.js';
import { EmailField, PasswordField } from '../forms/field.js';
import { Form, useForm } from '../forms/form.js';
import { email, present } from '../forms/values.js';
import * as m from '../paraglide/messages.js';
import { nextOf, paths } from '../paths.js';
import { Button } from '../ui/button.js';
import { Card } from './card.js';
import styles from './card.module.css';
import { DemoAccounts } from './demo-accounts.js';

const schema = v.object({ email, password: present });

export function SignIn(): ReactElement {
  const search = useSearch();
  const form = useForm(schema, signIn);
  useWhenSignedIn(nextOf(search));
  const ended = new URLSearchParams(search).has('ended');
  return (
    <Card
      title={m.sign_in_title()}
      links={
        <>
          <Link href={paths.forgotten}>{m.sign_forgotten_link()}</Link>
          <p>
            {m.sign_no_account()}{' '}
            <Link href={paths.signUp(nextOf(search))}>{m.sign_up_submit()}</Link>
          </p>
        </>
      }
    >
      {ended && <p role="status">{m.sign_ended()}</p>}
      <Form state={form} label={m.sign_in_title()}>
        <EmailField fault={form.faults['email']} />
        <PasswordField
          name="password"
          autoComplete="current-password"
          fault={form.faults['password']}
        />
        <Button type="submit" kind="primary" busy={form.busy} className={styles.wide}>
          {m.sign_in_submit()}
        </Button>
      </Form>
      <DemoAccounts />
    </Card>
  );
}

/** Goes on to the page that the listener wanted, as soon as they are signed in. */
export function useWhenSignedIn(next: string): void {
  const { person } = useSession();
  const [, go] = useLocation();
  useEffect(() => {
    if (person !== null) go(next, { replace: true });
  }, [person, next, go]);
}
