import { CircleCheck } from 'lucide-react';
import type { ReactElement } from 'react';
import { useClient } from 'urql';
import * as v from 'valibot';
import { failureOf } from '../api/errors.js';
import { rename } from '../session/state.js';
import { Field } from '../forms/field.js';
import { Done, Form, useForm } from '../forms/form.js';
import { name } from '../forms/values.js';
import { graphql } from '../gql/index.js';
import * as m from '../paraglide/messages.js';
import { SendAgain } from '../sign/verify.js';
import { Button } from '../ui/button.js';
import { ChangeAddress } from './email.js';
import styles from './account.module.css';
import { Section } from './section.js';

const Update = graphql(`
  mutation UpdateProfile($displayName: String) {
    updateProfile(displayName: $displayName) {
      id
      displayName
    }
  }
`);

const schema = v.object({ displayName: name });

export interface Me {
  readonly email: string;
  readonly emailVerified: boolean;
  readonly pendingEmail?: string | null;
  readonly displayName?: string | null;
}

export function Profile({ me }: { me: Me }): ReactElement {
  const client = useClient();
  const form = useForm(schema, async (values) => {
    const { data, error } = await client.mutation(Update, values).toPromise();
    const failure = failureOf(error);
    // A refused answer has null as its data, or as its field.
    const updated = data?.updateProfile ?? null;
    if (failure !== null || updated === null) return failure ?? { code: 'INTERNAL', details: {} };
    rename(updated.displayName ?? me.email);
    return null;
  });
  return (
    <Section title={m.account_profile()}>
      <div>
        <p className={styles.soft}>{m.sign_email()}</p>
        <p className={styles.email}>{me.email}</p>
        {me.emailVerified ? (
          <p className={styles.ok}>
            <CircleCheck size={18} strokeWidth={1.75} aria-hidden />
            {m.account_email_verified()}
          </p>
        ) : (
          <>
            <p className={styles.soft}>{m.account_email_unverified()}</p>
            <SendAgain />
          </>
        )}
      </div>
      <ChangeAddress pending={me.pendingEmail ?? null} />
      <Form state={form} label={m.account_profile()}>
        <Field
          key={me.displayName}
          name="displayName"
          label={m.account_name()}
          defaultValue={me.displayName ?? ''}
          fault={form.faults['displayName']}
          autoComplete="name"
          maxLength={100}
          onChange={form.reset}
        />
        <Button type="submit" busy={form.busy} className={styles.start}>
          {m.account_save_name()}
        </Button>
        {form.done && <Done>{m.account_name_saved()}</Done>}
      </Form>
    </Section>
  );
}
