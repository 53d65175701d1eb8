import { useState, type ReactElement } from 'react';
import { useQuery } from 'urql';
import { graphql } from '../gql/index.js';
import { PasswordField } from './field.js';
import { judge } from './password-meter.js';

const Settings = graphql(`
  query SignSettings {
    settings {
      passwordMinLength
      welcomePoints
    }
  }
`);

const LENGTH_MIN = 8;

/** What the server asks of new people. Until it answers, and without a connection, its usual rules. */
export function useSettings(): { passwordMinLength: number; welcomePoints: number } {
  const [{ data }] = useQuery({ query: Settings, variables: {} });
  return data?.settings ?? { passwordMinLength: LENGTH_MIN, welcomePoints: 0 };
}

/** A field for a new password, which says how good it is while it is typed. */
export function NewPassword({
  name,
  label,
  fault,
}: {
  name: string;
  label?: string;
  fault?: string | undefined;
}): ReactElement {
  const [password, setPassword] = useState('');
  const { passwordMinLength } = useSettings();
  return (
    <PasswordField
      name={name}
      {...(label === undefined ? {} : { label })}
      fault={fault}
      autoComplete="new-password"
      hint={judge(password, passwordMinLength)}
      onChange={({ target }) => setPassword(target.value)}
    />
  );
}
