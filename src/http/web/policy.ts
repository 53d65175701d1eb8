/** What a page of the web app may load, besides what the server itself serves. */
export interface Outside {
  /** The origin of PUBLIC_URL, because the addresses of recordings begin with it. */
  readonly publicOrigin: string;
  /** The origins of covers. */
  readonly coverOrigins: readonly string[];
}

/** The name of the only policy of Trusted Types: the app makes it once, to register its service worker. */
export const TRUSTED_TYPES_POLICY = 'talebank';

/** The content security policy of the pages. */
export const pagePolicy = ({ publicOrigin, coverOrigins }: Outside): string =>
  written({
    'default-src': ["'self'"],
    // data: and blob: are drawings of the app itself, such as the cover on a lock screen.
    'img-src': ["'self'", 'data:', 'blob:', publicOrigin, ...coverOrigins],
    // blob: is a recording that is kept on the device.
    'media-src': ["'self'", 'blob:', publicOrigin],
    'connect-src': ["'self'", publicOrigin],
    'object-src': ["'none'"],
    'base-uri': ["'none'"],
    'form-action': ["'self'"],
    'frame-ancestors': ["'none'"],
    'require-trusted-types-for': ["'script'"],
    'trusted-types': [TRUSTED_TYPES_POLICY],
  });

/**
 * The policy of the service worker. It has no Trusted Types, because Workbox imports its script by a plain string, which
 * a browser would refuse without a message.
 */
export const workerPolicy = ({ publicOrigin, coverOrigins }: Outside): string =>
  written({
    'default-src': ["'self'"],
    'connect-src': ["'self'", publicOrigin, ...coverOrigins],
    'object-src': ["'none'"],
    'base-uri': ["'none'"],
    'frame-ancestors': ["'none'"],
  });

const written = (directives: Readonly<Record<string, readonly string[]>>): string =>
  Object.entries(directives)
    .map(([name, values]) => [name, ...new Set(values)].join(' '))
    .join('; ');
