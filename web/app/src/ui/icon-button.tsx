import type { ButtonHTMLAttributes, ComponentType, ReactElement } from 'react';
import { classes } from './classes.js';
import styles from './icon-button.module.css';

interface IconProps {
  size?: number;
  strokeWidth?: number;
  'aria-hidden'?: boolean;
}

interface IconButtonProps extends ButtonHTMLAttributes<HTMLButtonElement> {
  readonly icon: ComponentType<IconProps>;
  /** What the button does, in words, because an icon alone has no name. */
  readonly name: string;
  readonly size?: 18 | 20 | 24;
}

export const IconButton = ({
  icon: Icon,
  name,
  size = 20,
  className = '',
  ...rest
}: IconButtonProps): ReactElement => (
  <button
    type="button"
    {...rest}
    className={classes(styles.button, className)}
    aria-label={name}
    title={name}
  >
    <Icon size={size} strokeWidth={1.75} aria-hidden />
  </button>
);
