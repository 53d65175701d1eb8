// node scripts/verify-export.mjs FILE [KEY]: verifies a file of `npm run ledger -- export` or `prove`, sharing no code with
// the server. KEY is a file with the key of anchors, or a copy of /.well-known/jwks.json; else the key in FILE is trusted.
import { createHash, verify } from 'node:crypto';
import { open, readFile } from 'node:fs/promises';

const [file, keyFile] = process.argv.slice(2);
const [lots, problems, newest, hashes] = [new Map(), [], { account: {} }, ['00'.repeat(32)]];
const TERMS = 'id source priority granted granted_at expires_at parent_lot_id period'.split(' ');
let [seq, balance] = [0, 0];
const expect = (holds, what) => holds || problems.push(process.stderr.write(`${what}\n`));
const strings = (values) => values.map((value) => String(value ?? ''));
const bytes = (text, encoding) => Buffer.from(text ?? '', encoding);
const sha256 = (...parts) => createHash('sha256').update(Buffer.concat(parts)).digest();

/** The text of the chain: a JSON array of strings, null as "". Format 1 lacks the second, fourth and last values. */
function textOf(line) {
  const since2 = (...values) => (line.format > 1 ? values : []);
  return JSON.stringify([
    ...strings([...since2(line.format), newest.account.user_id, line.seq, ...since2(line.id)]),
    ...strings([line.type, line.amount, line.balance_after, line.effective_at, line.recorded_at]),
    ...strings([line.reason, line.idempotency_key, ...since2(line.request_hash), line.audio_id]),
    ...strings([line.story_id, line.debit_seq, line.actor_id]),
    line.allocations.map(([lot, sum]) => [lot, String(sum)]),
    ...since2(line.lot_terms, line.revoked_lots),
  ]);
}

function check(line) {
  const at = `transaction ${line.seq}:`;
  const hash = sha256(bytes(hashes[seq], 'hex'), bytes(textOf(line))).toString('hex');
  const sum = line.allocations.reduce((total, [, points]) => total + points, 0);
  expect(hash === line.hash, `${at} the hash does not follow from the one before`);
  expect(line.seq === seq + 1, `${at} comes after ${seq}`);
  expect(line.balance_after === balance + line.amount, `${at} the balance is no running sum`);
  expect(sum === line.amount, `${at} the allocations do not add up`);
  expect(['GRANT', 'REFUND'].includes(line.type) === line.amount > 0, `${at} the sign is wrong`);
  for (const terms of line.lot_terms ?? []) {
    const lot = Object.assign(lots.get(terms[0]) ?? {}, { covered: true });
    const price = strings([lot.price_minor, lot.currency]).filter((text) => text !== '');
    const row = JSON.stringify([...strings(TERMS.map((name) => lot[name])), ...price]);
    expect(row === JSON.stringify(terms), `${at} lot ${terms[0]} is not what its terms say`);
  }
  for (const id of line.revoked_lots ?? []) (lots.get(id) ?? {}).revoked = true;
  for (const [id, points] of line.allocations) {
    const lot = lots.get(id) ?? { held: 0, granted: 0 };
    lot.held += points;
    expect(lot.held >= 0 && lot.held <= lot.granted, `${at} lot ${id} would hold ${lot.held}`);
    expect(line.type !== 'DEBIT' || line.effective_at < lot.until, `${at} lot ${id} had lapsed`);
  }
  [seq, balance, hashes[line.seq]] = [line.seq, line.balance_after, line.hash];
}

/** RFC 6962: the root above a node, by the hashes beside its way up, of which the last one is beside the top. */
function rootAbove(node, index, size, path) {
  if (size <= 1) return index + path.length === 0 ? node : bytes();
  const [half, beside] = [2 ** (31 - Math.clz32(size - 1)), bytes(path.at(-1), 'hex')];
  const [from, to] = index < half ? [0, half] : [half, size];
  const below = rootAbove(node, index - from, to - from, path.slice(0, -1));
  return sha256(bytes('\x01'), ...(from === 0 ? [below, beside] : [beside, below]));
}

/** A hash of the history is in a leaf under the root that is signed, by a key that is named after itself (RFC 7638). */
async function checkProof({ statement, key, path, leaf_index: index, ...end }) {
  const [header, payload, signature] = statement.split('.').map((part) => bytes(part, 'base64url'));
  const [{ kid, typ }, { root, accounts, at }] = [JSON.parse(header), JSON.parse(payload)];
  const trusted = keyFile ? JSON.parse(await readFile(keyFile)) : key;
  const jwk = (trusted.keys ?? [trusted]).find((one) => one.kid === kid);
  const name = sha256(bytes(JSON.stringify(jwk, ['crv', 'kty', 'x']))).toString('base64url');
  const text = bytes(statement.slice(0, statement.lastIndexOf('.')));
  const isSigned = jwk && verify(null, text, { key: jwk, format: 'jwk' }, signature);
  const data = sha256(bytes(`${newest.account.user_id}|${end.last_seq}|${end.head_hash}`));
  const above = rootAbove(sha256(bytes('\0'), data), index, accounts, path).toString('hex');
  expect(name === kid, `anchor: the key ${kid} is not a trusted key`);
  expect(isSigned && typ === 'talebank-anchor+jwt', 'anchor: the statement is not signed as one');
  expect(above === root, 'anchor: the proof does not lead to the root that is signed');
  expect(hashes[end.last_seq] === end.head_hash, `anchor: ${end.last_seq} has another hash`);
  return `, the first ${end.last_seq} as of ${at} by the key ${kid}`;
}

for await (const text of (await open(file)).readLines()) {
  const line = JSON.parse(text);
  newest[line.kind] = line;
  if (line.kind === 'lot') lots.set(line.id, { ...line, held: 0, until: line.expires_at ?? '~' });
  if (line.kind === 'transaction') check(line);
}
for (const [id, { held, remaining, covered, revoked, revoked_at: revokedAt }] of lots) {
  expect(held === remaining, `lot ${id} holds ${held} by its history, not ${remaining}`);
  expect(covered || !(newest.transaction?.format > 1), `lot ${id}: no hash covers its terms`);
  const isRevoked = revoked || newest.account.uncovered_revocations?.includes(id);
  const isRight = isRevoked ? revokedAt : !revokedAt || !(newest.transaction?.format > 1);
  expect(isRight, `lot ${id}: its history and its row differ about whether it is revoked`);
}
const isWhole = seq === newest.account.last_seq && hashes[seq] === newest.account.head_hash;
expect(isWhole, 'the history does not end where the account says');
const anchored = newest.proof ? await checkProof(newest.proof) : '';
expect(newest.proof || !keyFile, 'anchor: there is no proof in the file');
const verdict = problems.length === 0 ? 'Sound' : `${problems.length} problems`;
process.stdout.write(`${verdict}: ${seq} transactions, ${lots.size} lots${anchored}\n`);
process.exitCode = Math.min(problems.length, 1);
