import { Eye, EyeOff } from 'lucide-react';
import {
  useId,
  useState,
  type InputHTMLAttributes,
  type ReactElement,
  type ReactNode,
} from 'react';
import * as m from '../paraglide/messages.js';
import { IconButton } from '../ui/icon-button.js';
import styles from './field.module.css';

interface FieldProps extends InputHTMLAttributes<HTMLInputElement> {
  readonly name: string;
  readonly label: string;
  readonly hint?: ReactNode;
  /** What is wrong with the value. */
  readonly fault?: string | undefined;
  /** Stands beside the input. */
  readonly beside?: ReactNode;
}

export function Field({ label, hint, fault, beside, ...input }: FieldProps): ReactElement {
  const id = useId();
  const [hintId, faultId] = [`${id}-hint`, `${id}-fault`];
  const describedBy = [fault === undefined ? null : faultId, hint === undefined ? null : hintId];
  return (
    <div className={styles.field}>
      <label htmlFor={id} className={styles.label}>
        {label}
      </label>
      <div className={styles.row}>
        <input
          {...input}
          id={id}
          className={styles.input}
          aria-invalid={fault === undefined ? undefined : true}
          aria-describedby={describedBy.filter((one) => one !== null).join(' ') || undefined}
        />
        {beside}
      </div>
      {fault !== undefined && (
        <p id={faultId} className={styles.fault}>
          {fault}
        </p>
      )}
      {hint !== undefined && (
        <p id={hintId} className={styles.hint} aria-live="polite">
          {hint}
        </p>
      )}
    </div>
  );
}

export const EmailField = ({
  name = 'email',
  label,
  ...props
}: Omit<FieldProps, 'label' | 'name'> & {
  readonly name?: string;
  readonly label?: string;
}): ReactElement => (
  <Field
    autoComplete="username"
    {...props}
    name={name}
    label={label ?? m.sign_email()}
    type="email"
    inputMode="email"
    autoCapitalize="none"
    spellCheck={false}
    required
  />
);

type PasswordFieldProps = Omit<FieldProps, 'label' | 'autoComplete'> & {
  readonly label?: string;
  /** Tells a password manager whether to fill or to make one. */
  readonly autoComplete: 'current-password' | 'new-password';
};

export function PasswordField({ label, ...props }: PasswordFieldProps): ReactElement {
  const [shown, setShown] = useState(false);
  return (
    <Field
      {...props}
      label={label ?? m.sign_password()}
      type={shown ? 'text' : 'password'}
      autoCapitalize="none"
      spellCheck={false}
      required
      beside={
        <IconButton
          icon={shown ? EyeOff : Eye}
          name={shown ? m.sign_hide_password() : m.sign_show_password()}
          onClick={() => setShown(!shown)}
        />
      }
    />
  );
}
