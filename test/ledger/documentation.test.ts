import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { expect, test } from '@jest/globals';
import type * as Invariants from '../../src/services/reconciliation/invariants.sql.js';
import type * as Verify from '../../src/services/reconciliation/verify.js';
import { compiled } from '../support/compiled.js';

const DOCUMENT = fileURLToPath(new URL('../../docs/ledger.md', import.meta.url));

test('docs/ledger.md has every invariant with the very query that the server runs', async () => {
  const text = await readFile(DOCUMENT, 'utf8');
  const { INVARIANTS } = await compiled<typeof Invariants>(
    'services/reconciliation/invariants.sql.js',
  );
  const { LEDGER_INVARIANTS } = await compiled<typeof Verify>('services/reconciliation/verify.js');
  expect(LEDGER_INVARIANTS.map(({ number }) => number)).toEqual(
    Array.from({ length: 17 }, (_, index) => String(index + 1)),
  );
  for (const { number, description } of LEDGER_INVARIANTS)
    expect(text).toContain(`### ${number}. ${description.replace(/\.$/, '')}\n`);
  for (const { sql } of INVARIANTS) expect(text).toContain(`\`\`\`sql\n${sql}\n\`\`\``);
});
