// Verifies a file that `npm run ledger -- export USER` wrote, sharing no code with the server:
//   node scripts/verify-export.mjs file.jsonl
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';

const lots = new Map();
const problems = [];
let account = {};
let [seq, balance, head] = [0, 0, '00'.repeat(32)];

/** The text of the chain: a JSON array of strings, null as "". */
function textOf(line) {
  const strings = [
    ...[account.user_id, line.seq, line.type, line.amount, line.balance_after],
    ...[line.effective_at, line.recorded_at, line.reason, line.idempotency_key],
    ...[line.audio_id, line.story_id, line.debit_seq, line.actor_id],
  ].map((value) => String(value ?? ''));
  return JSON.stringify([...strings, line.allocations.map(([lot, sum]) => [lot, String(sum)])]);
}

function check(line) {
  const expect = (holds, what) => holds || problems.push(`transaction ${line.seq}: ${what}`);
  const hash = createHash('sha256').update(head, 'hex').update(textOf(line)).digest('hex');
  const sum = line.allocations.reduce((total, [, points]) => total + points, 0);
  expect(hash === line.hash, 'the hash does not follow from the one before');
  expect(line.seq === seq + 1, `comes after ${seq}`);
  expect(line.balance_after === balance + line.amount, 'the balance is no running sum');
  expect(sum === line.amount, 'the allocations do not add up');
  expect(['GRANT', 'REFUND'].includes(line.type) === line.amount > 0, 'the sign is wrong');
  for (const [id, points] of line.allocations) {
    const lot = lots.get(id) ?? { held: 0, granted: 0 };
    lot.held += points;
    expect(lot.held >= 0 && lot.held <= lot.granted, `lot ${id} would hold ${lot.held}`);
    const lapsed = lot.expires_at && line.effective_at >= lot.expires_at;
    expect(line.type !== 'DEBIT' || !lapsed, `lot ${id} had lapsed`);
  }
  [seq, balance, head] = [line.seq, line.balance_after, line.hash];
}

for await (const text of createInterface({ input: createReadStream(process.argv[2]) })) {
  const line = JSON.parse(text);
  if (line.kind === 'account') account = line;
  if (line.kind === 'lot') lots.set(line.id, { ...line, held: 0 });
  if (line.kind === 'transaction') check(line);
}
for (const [id, { held, remaining }] of lots)
  if (held !== remaining) problems.push(`lot ${id} holds ${held} by its history, not ${remaining}`);
if (seq !== account.last_seq || head !== account.head_hash)
  problems.push('the history does not end where the account says');
for (const problem of problems) process.stderr.write(`${problem}\n`);
const verdict = problems.length === 0 ? 'Sound' : `${problems.length} problems`;
process.stdout.write(`${verdict}: ${seq} transactions, ${lots.size} lots\n`);
process.exitCode = problems.length === 0 ? 0 : 1;
