import { isObjectType, OperationTypeNode, type GraphQLObjectType } from 'graphql';
import { send, type GraphqlError } from '../client.js';
import { follow } from '../events.js';
import { until } from '../faults.js';
import { CLASS_OF } from './classes.js';
import type { Root } from './roots.js';
import {
  objectTypeOf,
  packed,
  probesFrom,
  schema,
  selectionOf,
  timesOf,
  type Barrier,
  type Probe,
  type Question,
  type Start,
} from './ways.js';
import { seesEverybody, VIEWERS, type Viewer, type World } from './world.js';

/** Small documents, a few at a time. */
const AT_ONCE = 4;

/** A document, whose it was and what came of it. */
export interface Asked {
  readonly viewer: Viewer;
  readonly root: Root;
  readonly start: Start;
  readonly questions: readonly Question[];
  readonly status: number;
  readonly data: Readonly<Record<string, unknown>> | null;
  readonly errors: readonly GraphqlError[];
}

export const nameOf = ({ field }: Pick<Root, 'field'>): string => field.split('.')[1] ?? '';

const kindOf = ({ field }: Root): OperationTypeNode =>
  Object.values(OperationTypeNode).find((kind) => field.toLowerCase().startsWith(`${kind}.`)) ??
  OperationTypeNode.QUERY;

/** Mutations and subscriptions are measured with the longest texts that their answers may have: their pages are short. */
const PAGE_SIZES = { query: 6, mutation: 2, subscription: 2 };

function startOf(root: Root): Start {
  const parent = schema.getRootType(kindOf(root));
  const field = parent?.getFields()[nameOf(root)];
  if (parent == null || field === undefined) throw new Error(`There is no ${root.field}.`);
  const named = root.type === undefined ? null : schema.getType(root.type);
  const type = isObjectType(named) ? named : objectTypeOf(field);
  if (type === null) throw new Error(`${root.label} gives no object.`);
  const pageSize = PAGE_SIZES[kindOf(root)];
  return { type, pageSize, count: timesOf(parent, field, pageSize) };
}

/** The first private field of a stranger that a probe asks for; null where there is none. */
function barrierOf(start: GraphQLObjectType, probe: Probe, viewer: Viewer): Barrier | null {
  if (seesEverybody(viewer)) return null;
  let type: GraphQLObjectType | null = start;
  let isStranger = false;
  for (const [at, name] of [...probe.steps, probe.field.name].entries()) {
    const definition: Probe['field'] | undefined = type?.getFields()[name];
    if (type === null || definition === undefined) return null;
    const kind = CLASS_OF.get(`${type.name}.${name}`);
    if (isStranger && kind === 'self') return { at: at - 1, field: name };
    isStranger = kind === 'stranger';
    type = objectTypeOf(definition);
  }
  return null;
}

type Document = Pick<Asked, 'viewer' | 'root' | 'start' | 'questions'>;

/** What a viewer asks of a root field. */
function documentsOf(root: Root, viewer: Viewer): Document[] {
  const start = startOf(root);
  const questions = probesFrom(start, root.hopsMax).map((probe) => ({
    ...probe,
    barrier: barrierOf(start.type, probe, viewer),
  }));
  return packed(start, questions).map((part) => ({ viewer, root, start, questions: part }));
}

function textOf({ root, viewer, start, questions }: Document): string {
  const selection = selectionOf(start, questions);
  const inner =
    root.type === undefined ? selection : `{ __typename ... on ${root.type} ${selection} }`;
  return `${kindOf(root)} { ${nameOf(root)}${root.argumentsFor(viewer)} ${inner} }`;
}

async function answerTo({ talebank: { url }, people }: World, document: Document): Promise<Asked> {
  const { viewer, root } = document;
  const token = viewer === 'stranger' ? undefined : people[viewer].token;
  const text = textOf(document);
  if (kindOf(root) !== OperationTypeNode.SUBSCRIPTION) {
    const answer = await send<Record<string, unknown>>(url, text, {}, { token });
    return { ...document, status: answer.status, data: answer.data, errors: answer.errors };
  }
  const following = await follow<Record<string, unknown>>(url, text, {}, { token });
  await until('the first event comes', () => following.events.length > 0 || following.isOver());
  following.close();
  const { data = null, errors = [] } = following.events[0] ?? {};
  return { ...document, status: following.status, data, errors };
}

/** Every viewer asks for everything. */
export async function askAll(world: World, roots: readonly Root[]): Promise<Asked[]> {
  const answers: Asked[] = [];
  for (const root of roots) {
    const documents = VIEWERS.flatMap((viewer) => documentsOf(root, viewer));
    for (let at = 0; at < documents.length; at += AT_ONCE)
      answers.push(
        ...(await Promise.all(
          documents.slice(at, at + AT_ONCE).map((document) => answerTo(world, document)),
        )),
      );
  }
  return answers;
}
