import { getLocale } from './locale.js';

/** Names, numbers and times in the reader's language. */
export const formatNumber = (value: number): string =>
  new Intl.NumberFormat(getLocale()).format(value);

export const formatPercent = (fraction: number): string =>
  new Intl.NumberFormat(getLocale(), { style: 'percent' }).format(fraction);

export const formatDate = (date: string | Date, options?: Intl.DateTimeFormatOptions): string =>
  new Intl.DateTimeFormat(getLocale(), options ?? { dateStyle: 'medium' }).format(new Date(date));

/** “Saturday” within a week, and the date otherwise. In Polish always the date, because days would have to be inflected. */
export function formatDay(date: string | Date): string {
  const days = (new Date(date).getTime() - Date.now()) / 86_400_000;
  if (getLocale() === 'en' && days > 0 && days < 6.5) return formatDate(date, { weekday: 'long' });
  return formatDate(date, {
    day: 'numeric',
    month: 'long',
    ...(days > 300 ? { year: 'numeric' } : {}),
  });
}

export function nameOfLanguage(tag: string, locale: string = getLocale()): string {
  try {
    const name = new Intl.DisplayNames(locale, { type: 'language' }).of(tag) ?? tag;
    return name.slice(0, 1).toLocaleUpperCase(locale) + name.slice(1);
  } catch {
    return tag;
  }
}

/** Many voices are named after their language, in English. These are named in the reader's language. */
export function nameOfVoice({
  name,
  languages,
}: {
  readonly name: string;
  readonly languages: readonly string[];
}): string {
  const tag = languages.find((language) => nameOfLanguage(language, 'en') === name);
  return tag === undefined ? name : nameOfLanguage(tag);
}

/** “4:07”, or “1:04:07”. */
export function formatClock(seconds: number): string {
  const whole = Number.isFinite(seconds) ? Math.max(0, Math.floor(seconds)) : 0;
  const [hours, minutes, rest] = [
    Math.floor(whole / 3600),
    Math.floor(whole / 60) % 60,
    whole % 60,
  ];
  const tail = String(rest).padStart(2, '0');
  return hours === 0
    ? `${minutes}:${tail}`
    : `${hours}:${String(minutes).padStart(2, '0')}:${tail}`;
}

/** For screen readers: “4 minutes 7 seconds”. */
export function sayClock(seconds: number): string {
  const whole = Number.isFinite(seconds) ? Math.max(0, Math.floor(seconds)) : 0;
  const unit = (value: number, name: string): string =>
    new Intl.NumberFormat(getLocale(), { style: 'unit', unit: name, unitDisplay: 'long' }).format(
      value,
    );
  const minutes = Math.floor(whole / 60);
  return minutes === 0
    ? unit(whole, 'second')
    : `${unit(minutes, 'minute')} ${unit(whole % 60, 'second')}`;
}

/** “5 min”: at least one minute, because a listener needs no seconds to choose a story. */
export const formatMinutes = (seconds: number): string =>
  new Intl.NumberFormat(getLocale(), {
    style: 'unit',
    unit: 'minute',
    unitDisplay: 'short',
  }).format(Math.max(1, Math.round(seconds / 60)));
