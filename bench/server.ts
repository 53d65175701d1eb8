import { ApolloServer } from '@apollo/server';
import fastifyApollo from '@as-integrations/fastify';
import autocannon from 'autocannon';
import fastify from 'fastify';
import { newListener, startProduct } from './product.ts';
import { print } from './support.ts';

/** The same Apollo behind the same Fastify, answering a constant. */
async function startConstant(): Promise<{ url: string; close(): Promise<void> }> {
  const apollo = new ApolloServer({
    typeDefs: 'type Query { hello: String! }',
    resolvers: { Query: { hello: () => 'world' } },
  });
  await apollo.start();
  const server = fastify();
  await server.register(fastifyApollo(apollo));
  const url = await server.listen({ port: 0, host: '127.0.0.1' });
  return { url, close: () => server.close() };
}

async function requestsPerSecond(url: string, query: string, token = ''): Promise<number> {
  const result = await autocannon({
    url: `${url}/graphql`,
    method: 'POST',
    connections: 16,
    duration: 4,
    headers: {
      'content-type': 'application/json',
      ...(token === '' ? {} : { authorization: `Bearer ${token}` }),
    },
    body: JSON.stringify({ query }),
  });
  if (result.non2xx > 0 || result.errors > 0)
    throw new Error(`${String(result.non2xx)} refusals of ${query}`);
  return result.requests.average;
}

const WALLET =
  '{ me { credits { balance } creditHistory(first: 20) { nodes { seq type amount allocations { amount lot { source } } story { title } } } } }';
const LIBRARY = '{ stories(first: 20) { nodes { title requiredCredits } } }';

/** How long it takes to start, and how many requests it answers. */
export async function benchServer(): Promise<void> {
  print('\nThe whole product, on an empty folder');
  const product = await startProduct();
  try {
    print(`  start to first answer                       ${(product.startMs / 1000).toFixed(1)} s`);
    await benchRequests(product.url, (await newListener(product.url)).token);
  } finally {
    await product.stop();
  }
}

async function benchRequests(url: string, listener: string): Promise<void> {
  print('\nGraphQL requests a second, 16 connections');
  const constant = await startConstant();
  const hello = await requestsPerSecond(constant.url, '{ hello }');
  await constant.close();
  print(`  Apollo answering a constant (this process)  ${hello.toFixed(0)}/s`);
  for (const [name, query, token] of [
    ['stories(first: 20)', LIBRARY, ''],
    ['me { credits creditHistory(first: 20) }', WALLET, listener],
  ] as const) {
    const rate = await requestsPerSecond(url, query, token);
    print(`  ${name.padEnd(43)} ${rate.toFixed(0)}/s  × ${(rate / hello).toFixed(2)}`);
  }
}
