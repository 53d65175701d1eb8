import { useRef, type ReactElement } from 'react';
import * as v from 'valibot';
import { deleteAccount } from '../session/change.js';
import { PasswordField } from '../forms/field.js';
import { Form, useForm } from '../forms/form.js';
import { present } from '../forms/values.js';
import * as m from '../paraglide/messages.js';
import { Button } from '../ui/button.js';
import dialogStyles from '../ui/dialog.module.css';
import styles from './account.module.css';
import { Section } from './section.js';

const schema = v.object({ password: present });

export function Delete({ email }: { email: string }): ReactElement {
  const dialog = useRef<HTMLDialogElement>(null);
  const form = useForm(schema, ({ password }) => deleteAccount(password));
  const wrong = form.failure?.code === 'INVALID_CREDENTIALS';
  return (
    <Section title={m.account_delete()}>
      <p className={styles.soft}>{m.account_delete_text()}</p>
      <Button kind="danger" className={styles.start} onClick={() => dialog.current?.showModal()}>
        {m.account_delete()}
      </Button>
      <dialog ref={dialog} className={dialogStyles.dialog} aria-labelledby="delete-title">
        <div className={dialogStyles.body}>
          <h2 id="delete-title">{m.account_delete_question()}</h2>
          <p className={styles.email}>{m.account_delete_warning({ email })}</p>
          <Form
            state={wrong ? { ...form, failure: null } : form}
            label={m.account_delete_question()}
          >
            <PasswordField
              name="password"
              autoComplete="current-password"
              fault={wrong ? m.account_wrong_password() : form.faults['password']}
            />
            <div className={dialogStyles.actions}>
              <Button type="submit" kind="danger" busy={form.busy}>
                {m.account_delete_confirm()}
              </Button>
              <Button onClick={() => dialog.current?.close()}>{m.account_keep()}</Button>
            </div>
          </Form>
        </div>
      </dialog>
    </Section>
  );
}
