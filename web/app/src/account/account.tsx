import type { ReactElement } from 'react';
import { useQuery } from 'urql';
import { failureOf } from '../api/errors.js';
import { Loading } from '../frame/loading.js';
import { SignedIn } from '../frame/signed-in.js';
import { Refusal } from '../forms/form.js';
import { graphql } from '../gql/index.js';
import * as m from '../paraglide/messages.js';
import { useTitle } from '../ui/title.js';
import { MyData } from './data.js';
import { Delete } from './delete.js';
import { Devices } from './devices.js';
import { Look } from './look.js';
import { MailSettings } from './mails.js';
import { Password } from './password.js';
import { Profile } from './profile.js';
import { ReadingSettings } from '../reading/reading-settings.js';
import { Section } from './section.js';
import styles from './account.module.css';

const Me = graphql(`
  query AccountMe {
    me {
      id
      email
      emailVerified
      pendingEmail
      displayName
      createdAt
    }
  }
`);

export const Account = (): ReactElement => (
  <SignedIn>
    <AccountPage />
  </SignedIn>
);

function AccountPage(): ReactElement {
  useTitle(m.account_title());
  const [{ data, error }] = useQuery({ query: Me, variables: {} });
  const me = data?.me;
  if (me == null)
    return (
      <div className={styles.page}>
        <h1>{m.account_title()}</h1>
        {error === undefined ? <Loading /> : <Refusal failure={failureOf(error)} />}
      </div>
    );
  return (
    <div className={styles.page}>
      <h1>{m.account_title()}</h1>
      <Profile me={me} />
      <Password email={me.email} />
      <Look />
      <Section title={m.account_reading()}>
        <ReadingSettings />
      </Section>
      <MailSettings />
      <Devices />
      <MyData />
      <Delete email={me.email} />
    </div>
  );
}
