import { ask, execute, executePatiently, type Answer } from './client.js';
import type {
  BulkGrantInput,
  GrantCreditsInput,
  TypedDocumentString,
} from './generated/graphql.js';
import { until } from './faults.js';
import {
  ApproveProposal,
  BulkGrant,
  DeclineProposal,
  Grant,
  Proposal,
  Proposals,
  SetMonthlyCredits,
  SetUserRole,
} from './operations.js';
import { newListener, type Person } from './people.js';

let keys = 0;
/** A new idempotency key. */
export const newKey = (): string => `approvals-${String((keys += 1))}`;

/** Makes an administrator without grants, and waits until every process knows the role. */
export async function newAdministrator(urls: readonly string[], admin: Person): Promise<Person> {
  const [url = ''] = urls;
  const person = await newListener(url);
  const role = { userId: person.id, role: 'ADMIN' as const, reason: 'Helps' };
  await ask(url, SetUserRole, role, admin.token);
  const { token } = person;
  for (const one of urls)
    await until(
      'the role is known',
      async () => (await execute(one, Proposals, {}, { token })).errors.length === 0,
    );
  return person;
}

type Sent<Data> = Promise<Answer<Data>>;

/** Sends a grant, and returns the answer even when it has errors. */
export const sendGrant = (
  url: string,
  { token }: Person,
  input: Partial<GrantCreditsInput> & { userId: string; amount: number },
): Sent<unknown> =>
  executePatiently(
    url,
    Grant,
    { input: { source: 'ADD_ON', reason: 'Thanks', idempotencyKey: newKey(), ...input } },
    { token },
  );

export const sendBulk = (
  url: string,
  { token }: Person,
  input: Partial<BulkGrantInput> & Pick<BulkGrantInput, 'rows'>,
): Sent<unknown> =>
  executePatiently(
    url,
    BulkGrant,
    { input: { source: 'REFERRAL', reason: 'For all', idempotencyKey: newKey(), ...input } },
    { token },
  );

export const sendAllowance = (
  url: string,
  { token }: Person,
  userId: string,
  amount: number | null,
): Sent<unknown> =>
  executePatiently(url, SetMonthlyCredits, { userId, amount, reason: 'A friend' }, { token });

/** `done`, or the code of the first error. */
export const outcomeOf = ({ data, errors }: Answer<unknown>): string =>
  errors[0]?.extensions.code ?? (data === null ? 'nothing' : 'done');

/** The id of the proposal in an APPROVAL_REQUIRED error. @throws when the answer has none */
export function proposalOf(answer: Answer<unknown>): string {
  const proposalId = answer.errors[0]?.extensions['proposalId'];
  if (outcomeOf(answer) !== 'APPROVAL_REQUIRED' || typeof proposalId !== 'string')
    throw new Error(`No proposal was made: ${JSON.stringify(answer)}`);
  return proposalId;
}

const deciding =
  <Data>(document: TypedDocumentString<Data, { id: string; reason: string }>) =>
  (url: string, { token }: Person, id: string, reason = 'Agreed'): Sent<Data> =>
    executePatiently(url, document, { id, reason }, { token });

export const sendApproval = deciding(ApproveProposal);
export const sendDecline = deciding(DeclineProposal);

export const stateOf = async (url: string, { token }: Person, id: string): Promise<string> =>
  (await ask(url, Proposal, { id }, token)).proposal.state;
