import { setTimeout as sleep } from 'node:timers/promises';
import { PATIENCE_MS } from './faults.js';
import type { TypedDocumentString } from './generated/graphql.js';

export interface GraphqlError {
  readonly message: string;
  readonly path?: readonly (string | number)[];
  readonly extensions: { readonly code: string; readonly [detail: string]: unknown };
}

export interface Answer<Data> {
  readonly status: number;
  readonly headers: Headers;
  readonly data: Data | null;
  readonly errors: readonly GraphqlError[];
}

export interface Options {
  readonly token?: string | undefined;
  readonly headers?: Readonly<Record<string, string>>;
}

/** Sends a document as any client would, whatever it says. */
export async function send<Data = Record<string, never>>(
  url: string,
  query: string,
  variables: object = {},
  { token, headers = {} }: Options = {},
): Promise<Answer<Data>> {
  const response = await fetch(`${url}/graphql`, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      ...headers,
    },
    body: JSON.stringify({ query, variables }),
  });
  const body = (await response.json()) as { data?: Data | null; errors?: GraphqlError[] };
  return {
    status: response.status,
    headers: response.headers,
    data: body.data ?? null,
    errors: body.errors ?? [],
  };
}

/** Sends an operation whose types were made from the schema. */
export const execute = <Data, Variables extends object>(
  url: string,
  document: TypedDocumentString<Data, Variables>,
  variables: Variables,
  options: Options = {},
): Promise<Answer<Data>> => send<Data>(url, document.toString(), variables, options);

/**
 * Sends an operation, and repeats it while it is BUSY, as every client should: the server waits only a few seconds for
 * the database, and a slow machine may stand still for longer.
 */
export async function executePatiently<Data, Variables extends object>(
  ...request: Parameters<typeof execute<Data, Variables>>
): Promise<Answer<Data>> {
  const deadline = Date.now() + PATIENCE_MS;
  for (;;) {
    const answer = await execute<Data, Variables>(...request);
    const isBusy = answer.errors.some(({ extensions }) => extensions.code === 'BUSY');
    if (!isBusy || Date.now() > deadline) return answer;
    await sleep(200);
  }
}

/** The data of an operation that must succeed. It is repeated while it is BUSY. */
export async function ask<Data, Variables extends object>(
  url: string,
  document: TypedDocumentString<Data, Variables>,
  variables: Variables,
  token?: string,
): Promise<Data> {
  const { data, errors } = await executePatiently(url, document, variables, { token });
  if (data === null || errors.length > 0) throw new Error(JSON.stringify(errors));
  return data;
}
