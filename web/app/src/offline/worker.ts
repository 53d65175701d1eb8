interface TrustedTypes {
  createPolicy(
    name: string,
    rules: { createScriptURL: (address: string) => string },
  ): { createScriptURL(address: string): string };
}

const WORKER = '/sw.js';

/** Registers the service worker when the page has loaded, because it must not delay the first picture. */
export function registerWorker(): void {
  if (!('serviceWorker' in navigator)) return;
  const register = (): void => {
    // The page stays usable without: a browser may forbid it.
    navigator.serviceWorker.register(addressOfWorker()).catch(() => undefined);
  };
  if (document.readyState === 'complete') register();
  else window.addEventListener('load', register, { once: true });
}

/** With Trusted Types a script's address must come from a policy, which allows this one only. */
function addressOfWorker(): string {
  const { trustedTypes } = window as { trustedTypes?: TrustedTypes };
  if (trustedTypes === undefined) return WORKER;
  const policy = trustedTypes.createPolicy('talebank', { createScriptURL: () => WORKER });
  return policy.createScriptURL(WORKER);
}
