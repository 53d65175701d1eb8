import { useMemo, useState, type ReactElement } from 'react';
import * as v from 'valibot';
import { changePassword } from '../session/change.js';
import { PasswordField } from '../forms/field.js';
import { Done, Form, useForm } from '../forms/form.js';
import { NewPassword, useSettings } from '../forms/new-password.js';
import { newPassword, present } from '../forms/values.js';
import * as m from '../paraglide/messages.js';
import { Button } from '../ui/button.js';
import styles from './account.module.css';
import { Section } from './section.js';

export function Password({ email }: { email: string }): ReactElement {
  const [open, setOpen] = useState(false);
  const [done, setDone] = useState(false);
  const finish = (): void => {
    setOpen(false);
    setDone(true);
  };
  return (
    <Section title={m.sign_password()}>
      {done && <Done>{m.account_password_changed()}</Done>}
      {open ? (
        <ChangePassword email={email} onDone={finish} />
      ) : (
        <Button className={styles.start} onClick={() => setOpen(true)}>
          {m.account_change_password()}
        </Button>
      )}
    </Section>
  );
}

function ChangePassword({ email, onDone }: { email: string; onDone: () => void }): ReactElement {
  const { passwordMinLength } = useSettings();
  const schema = useMemo(
    () => v.object({ currentPassword: present, newPassword: newPassword(passwordMinLength) }),
    [passwordMinLength],
  );
  const form = useForm(schema, async (values) => {
    const failure = await changePassword(values);
    if (failure === null) onDone();
    return failure;
  });
  const wrong = form.failure?.code === 'INVALID_CREDENTIALS';
  return (
    <Form state={wrong ? { ...form, failure: null } : form} label={m.account_change_password()}>
      {/* For password managers, which store a password with the name that it belongs to. */}
      <input type="text" name="username" autoComplete="username" value={email} readOnly hidden />
      <PasswordField
        name="currentPassword"
        label={m.account_current_password()}
        autoComplete="current-password"
        fault={wrong ? m.account_wrong_password() : form.faults['currentPassword']}
      />
      <NewPassword
        name="newPassword"
        label={m.sign_new_password()}
        fault={form.faults['newPassword']}
      />
      <p className={styles.soft}>{m.account_password_text()}</p>
      <Button type="submit" kind="primary" busy={form.busy} className={styles.start}>
        {m.account_change_password()}
      </Button>
    </Form>
  );
}
