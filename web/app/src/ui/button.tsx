import type { ButtonHTMLAttributes, ReactElement } from 'react';
import { classes } from './classes.js';
import styles from './button.module.css';

type Kind = 'primary' | 'plain' | 'danger';

interface ButtonProps extends ButtonHTMLAttributes<HTMLButtonElement> {
  readonly kind?: Kind;
  /** Something is under way. The button keeps its place and cannot be pressed twice. */
  readonly busy?: boolean;
}

/** The look of a button, for links that look like one. */
export const buttonClass = (kind: Kind = 'plain'): string => classes(styles.button, styles[kind]);

export const Button = ({
  kind = 'plain',
  busy = false,
  className = '',
  type = 'button',
  onClick,
  ...rest
}: ButtonProps): ReactElement => (
  <button
    {...rest}
    type={type}
    className={classes(buttonClass(kind), className)}
    aria-disabled={busy || undefined}
    onClick={busy ? (event) => event.preventDefault() : onClick}
  />
);
