const OF_THE_SERVER = /^\/(?:files|streams|samples|statements|exports)\//;

/**
 * Addresses are absolute, at the public address of the server. A page that was opened at another name of the same server
 * may only load from its own, so it asks there: what is signed is the path.
 */
export function sameOrigin(address: string): string {
  if (!URL.canParse(address)) return address;
  const { pathname, search } = new URL(address);
  return OF_THE_SERVER.test(pathname) ? pathname + search : address;
}
