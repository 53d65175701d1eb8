import * as m from '../paraglide/messages.js';

const LONG = 14;

/** How good a password is, as a sentence, because a bar says nothing to a person who cannot see it. */
export function judge(password: string, lengthMin: number): string {
  const characters = Array.from(password);
  const missing = lengthMin - characters.length;
  if (characters.length === 0) return m.sign_meter_empty({ count: lengthMin });
  if (missing > 0) return m.sign_meter_short({ count: missing });
  if (new Set(characters).size < 4) return m.sign_meter_same();
  if (/^\d+$/.test(password)) return m.sign_meter_digits();
  return characters.length >= LONG ? m.sign_meter_strong() : m.sign_meter_fair();
}
