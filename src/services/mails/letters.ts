/** The languages that mails are written in. */
export type MailLanguage = 'en' | 'pl';

/** The language of mails for a locale. English where there is no translation. */
export const mailLanguageOf = (locale: string): MailLanguage =>
  locale.split('-')[0] === 'pl' ? 'pl' : 'en';

export interface Letter {
  readonly subject: string;
  readonly text: (link: string) => string;
}

type InBoth = Readonly<Record<MailLanguage, Letter>>;

const VERIFY: InBoth = {
  en: {
    subject: 'Confirm your e-mail address',
    text: (link) => `Welcome to Talebank!

Please confirm that this address is yours:

${link}

The link works once, within 24 hours. If you did not sign up, ignore this mail.
`,
  },
  pl: {
    subject: 'Potwierdź swój adres e-mail',
    text: (link) => `Witamy w Talebank!

Prosimy o potwierdzenie, że ten adres należy do Ciebie:

${link}

Link działa jeden raz, przez 24 godziny. Jeśli to nie Ty zakładasz konto, po prostu zignoruj tę wiadomość.
`,
  },
};

const RESET: InBoth = {
  en: {
    subject: 'Choose a new password',
    text: (
      link,
    ) => `We have received a request for a new password for your account at Talebank. Choose it here:

${link}

The link works once, within one hour. When you use it, all your devices are signed out. If you did not ask for it, ignore this mail: your password does not change.
`,
  },
  pl: {
    subject: 'Ustaw nowe hasło',
    text: (
      link,
    ) => `Otrzymaliśmy prośbę o zmianę hasła do Twojego konta w Talebank. Nowe hasło ustawisz tutaj:

${link}

Link działa jeden raz, przez godzinę. Po jego użyciu wszystkie Twoje urządzenia zostaną wylogowane. Jeśli to nie Twoja prośba, zignoruj tę wiadomość: hasło się nie zmieni.
`,
  },
};

const PASSWORD_CHANGED: InBoth = {
  en: {
    subject: 'Your password was changed',
    text: () => `The password of your account at Talebank was changed just now, and all other devices were signed out.

If that was not you, ask for a new password on the sign-in page. Setting it signs out all devices.
`,
  },
  pl: {
    subject: 'Twoje hasło zostało zmienione',
    text: () => `Hasło do Twojego konta w Talebank zostało właśnie zmienione, a wszystkie inne urządzenia zostały wylogowane.

Jeśli to nie Ty, poproś o nowe hasło na stronie logowania: w ten sposób odzyskasz konto.
`,
  },
};

const EMAIL_CHANGE_ASKED: InBoth = {
  en: {
    subject: 'A change of your e-mail address was requested',
    text: () => `A change of the e-mail address of your Talebank account was requested just now. We have mailed a link to the new address. Nothing changes until the link is opened.

If this was not you, change your password now. That cancels the change. You can also reset your password on the sign-in page.
`,
  },
  pl: {
    subject: 'Prośba o zmianę adresu e-mail',
    text: () => `Otrzymaliśmy prośbę o zmianę adresu e-mail Twojego konta w Talebank. Na nowy adres wysłaliśmy link. Dopóki nie zostanie otwarty, nic się nie zmieni.

Jeśli to nie Ty, od razu zmień hasło: anuluje to zmianę adresu. O nowe hasło możesz też poprosić na stronie logowania.
`,
  },
};

const EMAIL_CHANGE: InBoth = {
  en: {
    subject: 'Confirm your new e-mail address',
    text: (
      link,
    ) => `A Talebank user wants to change the e-mail address of an account to this one. Please confirm the change:

${link}

The link works once, within 24 hours. If this was not you, ignore this mail, and nothing will change.
`,
  },
  pl: {
    subject: 'Potwierdź nowy adres e-mail',
    text: (
      link,
    ) => `Użytkownik Talebank chce ustawić ten adres jako adres e-mail swojego konta. Prosimy o potwierdzenie zmiany:

${link}

Link działa jeden raz, przez 24 godziny. Jeśli to nie Twoja prośba, zignoruj tę wiadomość: nic się nie zmieni.
`,
  },
};

const EMAIL_CHANGED: InBoth = {
  en: {
    subject: 'Your e-mail address was changed',
    text: () => `The e-mail address of your account at Talebank was changed just now. From now on, sign in with the new address. We will no longer write to this one.

If that was not you, contact the operator of this site at once.
`,
  },
  pl: {
    subject: 'Twój adres e-mail został zmieniony',
    text: () => `Adres e-mail Twojego konta w Talebank został właśnie zmieniony. Od teraz do logowania służy nowy adres, a na ten nie będziemy już pisać.

Jeśli to nie Ty, natychmiast skontaktuj się z operatorem tej strony.
`,
  },
};

export const LETTERS = {
  VERIFY,
  RESET,
  PASSWORD_CHANGED,
  EMAIL_CHANGE_ASKED,
  EMAIL_CHANGE,
  EMAIL_CHANGED,
} as const;
