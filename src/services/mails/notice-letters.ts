import type { NoticeKind, NoticeView } from '../notices/notices.js';
import type { Letter, MailLanguage } from './letters.js';

/** What a letter about a notice says. */
export interface Told extends Pick<NoticeView, 'points' | 'lapsesAt'> {
  /** The title of the story of a narration. Empty for a notice of another kind. */
  readonly title: string;
}

interface Words {
  readonly subject: string;
  readonly body: string;
}

const DATES: Readonly<Record<MailLanguage, Intl.DateTimeFormat>> = {
  en: new Intl.DateTimeFormat('en-GB', { dateStyle: 'long', timeZone: 'UTC' }),
  pl: new Intl.DateTimeFormat('pl', { dateStyle: 'long', timeZone: 'UTC' }),
};

const PLURALS = new Intl.PluralRules('pl');
const POLISH_POINTS: Readonly<Partial<Record<Intl.LDMLPluralRule, string>>> = {
  one: 'punkt',
  few: 'punkty',
};

const pointsIn = (language: MailLanguage, points: number): string => {
  if (language === 'en')
    return `${points.toLocaleString('en')} ${points === 1 ? 'point' : 'points'}`;
  return `${points.toLocaleString('pl')} ${POLISH_POINTS[PLURALS.select(points)] ?? 'punktów'}`;
};

const dayIn = (language: MailLanguage, at: Date | null): string =>
  at === null ? '' : DATES[language].format(at);

const ENGLISH: Readonly<Record<NoticeKind, (told: Told) => Words>> = {
  POINTS_LOW: ({ points }) => ({
    subject: 'Your points are running low',
    body: `You have ${pointsIn('en', points ?? 0)} left at Talebank.`,
  }),
  POINTS_LAPSE: ({ points, lapsesAt }) => ({
    subject: 'Some of your points lapse soon',
    body: `${pointsIn('en', points ?? 0)} at Talebank lapse on ${dayIn('en', lapsesAt)} (UTC). Use them before then.`,
  }),
  POINTS_GRANTED: ({ points, lapsesAt }) => ({
    subject: 'You were given points',
    body: `You were given ${pointsIn('en', points ?? 0)} at Talebank.${lapsesAt === null ? '' : ` They lapse on ${dayIn('en', lapsesAt)} (UTC).`}`,
  }),
  NARRATION_READY: ({ title }) => ({
    subject: 'Your narration is ready',
    body: `The narration of “${title}” is ready to play.`,
  }),
  NARRATION_FAILED: ({ title }) => ({
    subject: 'Your narration could not be made',
    body: `The narration of “${title}” could not be made. Your points were refunded.`,
  }),
};

const POLISH: Readonly<Record<NoticeKind, (told: Told) => Words>> = {
  POINTS_LOW: ({ points }) => ({
    subject: 'Kończą się Twoje punkty',
    body: `Stan Twojego konta w Talebank: ${pointsIn('pl', points ?? 0)}.`,
  }),
  POINTS_LAPSE: ({ points, lapsesAt }) => ({
    subject: 'Część Twoich punktów niedługo wygaśnie',
    body: `Punkty w Talebank, które wygasają ${dayIn('pl', lapsesAt)} (UTC): ${pointsIn('pl', points ?? 0)}. Wykorzystaj je wcześniej.`,
  }),
  POINTS_GRANTED: ({ points, lapsesAt }) => ({
    subject: 'Otrzymujesz punkty',
    body: `Na Twoje konto w Talebank dodano: ${pointsIn('pl', points ?? 0)}.${lapsesAt === null ? '' : ` Data wygaśnięcia: ${dayIn('pl', lapsesAt)} (UTC).`}`,
  }),
  NARRATION_READY: ({ title }) => ({
    subject: 'Nagranie jest gotowe',
    body: `Nagranie „${title}” jest gotowe do odsłuchania.`,
  }),
  NARRATION_FAILED: ({ title }) => ({
    subject: 'Nie udało się przygotować nagrania',
    body: `Nie udało się przygotować nagrania „${title}”. Punkty wróciły na Twoje konto.`,
  }),
};

const ENDS: Readonly<Record<MailLanguage, (link: string) => string>> = {
  en: (link) => `You get this mail because you asked for it in your settings: ${link}`,
  pl: (link) => `Otrzymujesz tę wiadomość zgodnie ze swoimi ustawieniami: ${link}`,
};

/** The letter about a notice. Its link leads to the site. */
export function letterOf(language: MailLanguage, kind: NoticeKind, told: Told): Letter {
  const { subject, body } = (language === 'pl' ? POLISH : ENGLISH)[kind](told);
  return { subject, text: (link) => `${body}\n\n${ENDS[language](link)}\n` };
}
