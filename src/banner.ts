import type { Config } from './config.js';
import type { Running } from './start.js';

/** The text for the person who started the server: its addresses, the logins and an example request. */
export function banner(config: Config, { url, logins }: Running): string {
  if (url === null) return 'Talebank worker is taking jobs. Stop with Ctrl-C.\n';
  const lines = ['', '  Talebank is ready.', ''];
  if (config.web) lines.push(`  Talebank   ${url}`);
  lines.push(`  GraphQL    ${url}/graphql`);
  if (config.graphiql) lines.push(`  GraphiQL   ${url}/graphiql`);
  if (logins.length > 0) lines.push('');
  for (const { who, email, password } of logins) {
    lines.push(`  Sign in as ${who.padEnd(14)} ${email.padEnd(26)} password: ${password}`);
  }
  lines.push(
    '',
    '  Try:',
    `    curl -s ${url}/graphql -H 'content-type: application/json' \\`,
    `      -d '{"query":"{ stories(first: 1) { nodes { title requiredCredits } } }"}'`,
  );
  if (config.seed) {
    lines.push(
      '  and expect:',
      '    {"data":{"stories":{"nodes":[{"title":"…","requiredCredits":…}]}}}',
    );
  }
  lines.push('', '  Stop with Ctrl-C.', '', '');
  return lines.join('\n');
}
