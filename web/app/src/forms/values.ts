import * as v from 'valibot';
import * as m from '../paraglide/messages.js';

/** What forms ask for before anything is sent. The server decides; this only saves a way. */
export const email = v.pipe(
  v.string(),
  v.trim(),
  v.nonEmpty(() => m.sign_email_missing()),
  v.email(() => m.error_field_email()),
);

export const present = v.pipe(
  v.string(),
  v.nonEmpty(() => m.sign_password_missing()),
);

/** Passwords are compared as they are, with spaces. */
export const newPassword = (lengthMin: number): v.GenericSchema<unknown, string> =>
  v.pipe(
    v.string(),
    v.check(
      (text) => Array.from(text).length >= lengthMin,
      () => m.sign_password_short({ count: lengthMin }),
    ),
    v.maxLength(256, () => m.error_field_password()),
  );

/** An empty name is none. */
export const name = v.pipe(
  v.string(),
  v.trim(),
  v.transform((text) => (text === '' ? null : text)),
);
