import * as m from '../paraglide/messages.js';

const BROWSERS: readonly (readonly [pattern: RegExp, name: string])[] = [
  [/\bEdg/, 'Edge'],
  [/Firefox|FxiOS/, 'Firefox'],
  [/Chrome|CriOS/, 'Chrome'],
  [/Safari/, 'Safari'],
];
const SYSTEMS: readonly (readonly [pattern: RegExp, name: string])[] = [
  [/Android/, 'Android'],
  [/iPhone/, 'iPhone'],
  [/iPad/, 'iPad'],
  [/Windows/, 'Windows'],
  [/Mac OS/, 'Mac'],
  [/Linux/, 'Linux'],
];

interface Named {
  readonly deviceName?: string | null;
  readonly userAgent?: string | null;
}

/**
 * “Chrome on Android”. Other programs name themselves. A device without a name is told by the browser's own words, and
 * one without these is unknown.
 */
export function nameOfDevice({ deviceName, userAgent }: Named): string {
  const own = /^([^,]+), ([^,]+)$/.exec(deviceName ?? '');
  if (own !== null) return joined(own[1], systemOf(own[2] ?? '') ?? own[2]);
  if (deviceName != null && deviceName !== '') return deviceName;
  const browser = BROWSERS.find(([pattern]) => pattern.test(userAgent ?? ''))?.[1];
  return joined(browser, systemOf(userAgent ?? ''));
}

const systemOf = (text: string): string | undefined =>
  SYSTEMS.find(([pattern]) => pattern.test(text))?.[1];

function joined(browser: string | undefined, system: string | undefined): string {
  if (browser !== undefined && system !== undefined) return m.account_device({ browser, system });
  return browser ?? system ?? m.account_device_unknown();
}
