import { useMemo, type ReactElement } from 'react';
import * as v from 'valibot';
import { Link, useSearch } from 'wouter';
import { signUp } from '../session/enter.js';
import { EmailField, Field } from '../forms/field.js';
import { Form, useForm } from '../forms/form.js';
import { NewPassword, useSettings } from '../forms/new-password.js';
import { email, name, newPassword } from '../forms/values.js';
import * as m from '../paraglide/messages.js';
import { nextOf, paths } from '../paths.js';
import { Button } from '../ui/button.js';
import { formatNumber } from '../ui/format.js';
import { Card } from './card.js';
import styles from './card.module.css';
import { useWhenSignedIn } from './sign-in.js';

export function SignUp(): ReactElement {
  const next = nextOf(useSearch());
  const { passwordMinLength, welcomePoints } = useSettings();
  const schema = useMemo(
    () => v.object({ displayName: name, email, password: newPassword(passwordMinLength) }),
    [passwordMinLength],
  );
  const form = useForm(schema, signUp);
  useWhenSignedIn(next);
  const points = m.frame_points({ count: welcomePoints, shown: formatNumber(welcomePoints) });
  return (
    <Card
      title={m.sign_up_title()}
      links={
        <p>
          {m.sign_have_account()} <Link href={paths.signIn(next)}>{m.sign_in_submit()}</Link>
        </p>
      }
    >
      {welcomePoints > 0 && <p className={styles.soft}>{m.sign_up_welcome({ points })}</p>}
      <Form state={form} label={m.sign_up_title()}>
        <Field
          name="displayName"
          label={m.sign_name()}
          hint={m.sign_name_hint()}
          fault={form.faults['displayName']}
          autoComplete="name"
          maxLength={100}
        />
        <EmailField autoComplete="email" fault={form.faults['email']} />
        <NewPassword name="password" fault={form.faults['password']} />
        <Button type="submit" kind="primary" busy={form.busy} className={styles.wide}>
          {m.sign_up_submit()}
        </Button>
      </Form>
    </Card>
  );
}
