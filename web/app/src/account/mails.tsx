import { useState, type ReactElement } from 'react';
import { useClient, useQuery } from 'urql';
import { failureOf, type Failure } from '../api/errors.js';
import { Done, Refusal } from '../forms/form.js';
import { graphql } from '../gql/index.js';
import type { NoticeKind } from '../gql/graphql.js';
import * as m from '../paraglide/messages.js';
import { locales } from '../ui/locale.js';
import { Select } from '../ui/select.js';
import styles from './account.module.css';
import { LOCALE_NAMES } from '../ui/look-selects.js';
import { Section } from './section.js';

const Mails = graphql(`
  query AccountMails {
    me {
      id
      locale
      mailOn
    }
  }
`);
const Update = graphql(`
  mutation UpdateSettings($locale: String, $mailOn: [NoticeKind!]) {
    updateSettings(locale: $locale, mailOn: $mailOn) {
      id
      locale
      mailOn
    }
  }
`);

const KINDS: readonly NoticeKind[] = [
  'POINTS_LAPSE',
  'POINTS_LOW',
  'POINTS_GRANTED',
  'NARRATION_READY',
  'NARRATION_FAILED',
];
const KIND_NAMES: Readonly<Record<NoticeKind, () => string>> = {
  POINTS_LAPSE: m.account_mail_points_lapse,
  POINTS_LOW: m.account_mail_points_low,
  POINTS_GRANTED: m.account_mail_points_granted,
  NARRATION_READY: m.account_mail_narration_ready,
  NARRATION_FAILED: m.account_mail_narration_failed,
};

interface Choice {
  readonly locale?: string;
  readonly mailOn?: readonly NoticeKind[];
}

/** What the account is mailed about, and in which language. Each choice is saved at once. */
export function MailSettings(): ReactElement | null {
  const client = useClient();
  const [{ data, error }] = useQuery({ query: Mails, variables: {} });
  // Shown until the answer is there, so that a press is seen at once.
  const [chosen, setChosen] = useState<Choice>({});
  const [failure, setFailure] = useState<Failure | null>(null);
  const [saved, setSaved] = useState(false);
  const me = data?.me ?? null;
  if (me === null) return error === undefined ? null : <Refused failure={failureOf(error)} />;
  const save = async (choice: Choice): Promise<void> => {
    setChosen(choice);
    setSaved(false);
    const variables = { locale: choice.locale ?? null, mailOn: choice.mailOn?.slice() ?? null };
    const answer = await client.mutation(Update, variables).toPromise();
    const refused = failureOf(answer.error);
    setFailure(refused);
    setSaved(refused === null);
    setChosen({});
  };
  const on = chosen.mailOn ?? me.mailOn;
  const language = chosen.locale ?? me.locale;
  return (
    <Section title={m.account_mails()}>
      <Refusal failure={failure} />
      <div className={styles.pairs}>
        <Select
          label={m.account_mail_language()}
          value={locales.find((locale) => language.startsWith(locale)) ?? 'en'}
          options={locales.map((value) => ({ value, name: LOCALE_NAMES[value] }))}
          onChange={(locale) => void save({ locale })}
        />
      </div>
      <fieldset className={styles.choices}>
        <legend className={styles.soft}>{m.account_mail_on()}</legend>
        {KINDS.map((kind) => (
          <label key={kind} className={styles.choice}>
            <input
              type="checkbox"
              checked={on.includes(kind)}
              onChange={({ target }) =>
                void save({
                  mailOn: KINDS.filter((one) => (one === kind ? target.checked : on.includes(one))),
                })
              }
            />
            {KIND_NAMES[kind]()}
          </label>
        ))}
      </fieldset>
      {saved && <Done>{m.account_mails_saved()}</Done>}
    </Section>
  );
}

const Refused = ({ failure }: { failure: Failure | null }): ReactElement => (
  <Section title={m.account_mails()}>
    <Refusal failure={failure} />
  </Section>
);
