import { readFileSync } from 'node:fs';
import {
  buildSchema,
  getNamedType,
  isCompositeType,
  isListType,
  getNullableType,
  isObjectType,
  isRequiredArgument,
  OperationTypeNode,
  type GraphQLField,
  type GraphQLObjectType,
} from 'graphql';

export const schema = buildSchema(readFileSync('schema.graphql', 'utf8'));

/**
 * Fields that lead to objects, counted after the root field, where `roots.ts` does not say how many. PATH_HOPS=4 makes the
 * ways longer (.ci/run), which takes three times as long.
 */
const HOPS_MAX = Number(process.env['PATH_HOPS'] ?? 3);

/** What each argument below the root is given, by its name. An optional argument without a row is left out. */
const ARGUMENTS: Readonly<Record<string, (start: Start) => string>> = {
  first: ({ pageSize }) => String(pageSize),
  at: () => '"2020-01-01T00:00:00Z"',
  from: () => '"2020-01-01T00:00:00Z"',
  to: () => '"2020-03-01T00:00:00Z"',
  bucket: () => 'MONTH',
};

/** Where ways begin. */
export interface Start {
  readonly type: GraphQLObjectType;
  readonly pageSize: number;
  /** How many of these objects the root field gives at most, as the server counts them. */
  readonly count: number;
}

export type Field = GraphQLField<unknown, unknown>;

/** An object type, and the fields that lead to it from the object that a root field gives. */
export interface Way {
  readonly steps: readonly string[];
  readonly end: GraphQLObjectType;
}

/** One field of the object at the end of a way. */
export interface Probe extends Way {
  readonly field: Field;
}

/** The first private field of a stranger on a way. It is FORBIDDEN to all viewers but administrators and auditors. */
export interface Barrier {
  /** Which of the steps leads to the stranger. */
  readonly at: number;
  readonly field: string;
}

export interface Question extends Probe {
  readonly barrier: Barrier | null;
}

/**
 * A refused field that must not be null makes the whole stranger null. Each refused field therefore reaches the stranger
 * under an alias of its own, so that the other fields keep their values.
 */
const aliasOf = (step: string, { field }: Barrier): string => `${step}__${field}`;
export const withoutAlias = (name: string): string => name.replace(/(?<=[a-z])__\w+$/i, '');

/** The steps of a question, under their names in the answer. */
const stepsOf = ({ steps, barrier }: Question): readonly string[] =>
  steps.map((step, at) => (at === barrier?.at ? aliasOf(step, barrier) : step));

export const objectTypeOf = ({ type }: Pick<Field, 'type'>): GraphQLObjectType | null => {
  const named = getNamedType(type);
  return isObjectType(named) ? named : null;
};

/** Every type with fields of its own, without introspection. */
export const OBJECT_TYPES: readonly GraphQLObjectType[] = Object.values(schema.getTypeMap())
  .filter(isObjectType)
  .filter(({ name }) => !name.startsWith('__'));

/**
 * Fields that lead to objects which another field of the same object, or the way to it, leads to as well. Only the
 * fields of these objects are asked for there, and no way goes on, because the number of ways would double.
 */
const SHORTCUTS = [
  'Audio.user',
  'Bookmark.audio',
  'BulkGrantRecipient.user',
  'Credits.lastTransaction',
  'Notice.audio',
  'Notice.transaction',
  'Story.currentAudio',
];

/**
 * A list so long that a document could ask for nothing else beside it. It is asked for near the root
 * only, and not of several objects.
 */
const LONG_LISTS = ['Audio.sentences', 'Credits.series'];
const LONG_LIST_HOPS_MAX = 1;

const isTooDeep = (
  parent: GraphQLObjectType,
  field: Field,
  { hops, count }: { hops: number; count: number },
): boolean =>
  (hops > LONG_LIST_HOPS_MAX || count > 1) && LONG_LISTS.includes(`${parent.name}.${field.name}`);

/** Where ways begin, and whether there is one such object only. */
type Beginning = Pick<Start, 'type' | 'count'>;

/** The ways from an object, in the order in which a tree is walked: each way comes before those that extend it. */
function waysFrom({ type: start, count }: Beginning, hopsMax: number): Way[] {
  const ways: Way[] = [];
  const walk = (end: GraphQLObjectType, steps: readonly string[]): void => {
    ways.push({ steps, end });
    if (steps.length === hopsMax) return;
    for (const field of Object.values(end.getFields())) {
      if (isTooDeep(end, field, { hops: steps.length, count })) continue;
      const next = objectTypeOf(field);
      const way = [...steps, field.name];
      if (next !== null && SHORTCUTS.includes(`${end.name}.${field.name}`))
        ways.push({ steps: way, end: next });
      else if (next !== null) walk(next, way);
    }
  };
  walk(start, []);
  return ways;
}

/** Each field of each object that can be reached; a field that a longer way passes through is asked for there. */
export const probesFrom = (start: Beginning, hopsMax = HOPS_MAX): Probe[] =>
  waysFrom(start, hopsMax).flatMap((way) =>
    Object.values(way.end.getFields())
      .filter((field) => objectTypeOf(field) === null || way.steps.length === hopsMax)
      .filter((field) => !isTooDeep(way.end, field, { hops: way.steps.length, count: start.count }))
      .map((field) => ({ ...way, field })),
  );

/** The document limits that matter here, with room for the estimates below. */
const DOCUMENT_MAX = {
  tokens: 1800,
  aliases: 45,
  cost: 6500,
  values: 45_000,
  characters: 1_900_000,
};

/** Lists without pages that the server counts as longer than three. */
const LIST_LENGTHS: Readonly<Record<string, number>> = {
  sessions: 100,
  languages: 100,
  tags: 100,
  sentences: 250,
  words: 12,
  series: 400,
  voices: 100,
  recipients: 100,
  creditSeries: 53,
};
const LEAF_COSTS: Readonly<Record<string, number>> = { content: 90 };
const LEAF_CHARACTERS: Readonly<Record<string, number>> = {
  content: 200_000,
  coverUrl: 2000,
  note: 500,
  error: 500,
  description: 1000,
};

/** How many a field of an object gives at most, as the server counts them. */
export function timesOf(parent: GraphQLObjectType, field: Field, pageSize: number): number {
  if (field.args.some(({ name }) => name === 'first')) return pageSize;
  if (!isListType(getNullableType(field.type)) || parent.name.endsWith('Connection')) return 1;
  return LIST_LENGTHS[field.name] ?? 3;
}

/** How many objects a way may lead to, as the server counts them. */
function countAt(start: Start, steps: readonly string[]): number {
  let { count, type } = start;
  for (const step of steps.map(withoutAlias)) {
    const field = type.getFields()[step];
    const next = field === undefined ? null : objectTypeOf(field);
    if (field === undefined || next === null)
      throw new Error(`${type.name}.${step} leads nowhere.`);
    count *= timesOf(type, field, start.pageSize);
    type = next;
  }
  return count;
}

type Size = Record<keyof typeof DOCUMENT_MAX, number>;

/** What a field adds to a document. */
function sizeOf(start: Start, { steps, field }: Question): Size {
  const count = countAt(start, steps);
  const isObject = objectTypeOf(field) !== null;
  const times = isObject ? count * start.pageSize : count;
  return {
    tokens: isObject ? 9 : 1,
    aliases: 0,
    cost: isObject ? times : count * (LEAF_COSTS[field.name] ?? 0),
    values: times,
    characters: times * (LEAF_CHARACTERS[field.name] ?? 100),
  };
}

/** What a step adds to a document, with the name of its type and its id. */
function sizeOfStep(start: Start, steps: readonly string[]): Size {
  const count = countAt(start, steps);
  const aliases = steps.at(-1)?.includes('__') === true ? 1 : 0;
  return {
    tokens: 10 + 2 * aliases,
    aliases,
    cost: count,
    values: count * 2,
    characters: count * 200,
  };
}

/** Groups questions so that the document of each group is within the limits. */
export function packed(start: Start, questions: readonly Question[]): Question[][] {
  const groups: Question[][] = [];
  let left: Size = { ...DOCUMENT_MAX };
  let known = new Set<string>();
  const take = (size: Size): void => {
    for (const what of Object.keys(left) as (keyof Size)[]) left[what] -= size[what];
  };
  const add = (question: Question): void => {
    const steps = stepsOf(question);
    for (let length = 0; length <= steps.length; length += 1) {
      const way = steps.slice(0, length);
      if (!known.has(way.join('.'))) take(sizeOfStep(start, way));
      known.add(way.join('.'));
    }
    take(sizeOf(start, question));
  };
  for (const question of questions) {
    add(question);
    if (groups.length === 0 || Object.values(left).some((room) => room < 0)) {
      groups.push([]);
      left = { ...DOCUMENT_MAX };
      known = new Set();
      add(question);
    }
    groups.at(-1)?.push(question);
  }
  return groups;
}

interface Branch {
  readonly type: GraphQLObjectType;
  readonly fields: Set<string>;
  readonly branches: Map<string, Branch>;
}

const newBranch = (type: GraphQLObjectType): Branch => ({
  type,
  fields: new Set(),
  branches: new Map(),
});

function argumentsOf(start: Start, type: GraphQLObjectType, { name, args }: Field): string {
  const given = args.flatMap((argument) => {
    const value = ARGUMENTS[argument.name];
    if (value !== undefined) return [`${argument.name}: ${value(start)}`];
    if (!isRequiredArgument(argument)) return [];
    throw new Error(
      `${type.name}.${name} needs the argument ${argument.name}: add a value for it to ARGUMENTS in test/support/paths/ways.ts.`,
    );
  });
  return given.length === 0 ? '' : `(${given.join(', ')})`;
}

function printed(start: Start, { type, fields, branches }: Branch): string {
  const all = type.getFields();
  const call = (alias: string): string => {
    const name = withoutAlias(alias);
    const field = all[name];
    if (field === undefined) throw new Error(`${type.name} has no field ${name}.`);
    const inner = branches.get(alias);
    const called = `${alias === name ? '' : `${alias}: `}${name}${argumentsOf(start, type, field)}`;
    if (inner !== undefined) return `${called} ${printed(start, inner)}`;
    return isCompositeType(getNamedType(field.type)) ? `${called} { __typename }` : called;
  };
  // Its id says whose an object is.
  const names = new Set([...('id' in all ? ['id'] : []), ...fields, ...branches.keys()]);
  return `{ __typename ${[...names].map(call).join(' ')} }`;
}

/** The fields that a root field is asked for, as one selection. */
export function selectionOf(start: Start, questions: readonly Question[]): string {
  const root = newBranch(start.type);
  for (const question of questions) {
    let branch = root;
    for (const step of stepsOf(question)) {
      const definition = branch.type.getFields()[withoutAlias(step)];
      const type = definition === undefined ? null : objectTypeOf(definition);
      if (type === null) throw new Error(`${branch.type.name}.${step} leads nowhere.`);
      const next = branch.branches.get(step) ?? newBranch(type);
      branch.branches.set(step, next);
      branch = next;
    }
    branch.fields.add(question.field.name);
  }
  return printed(start, root);
}

/** The root fields that lead to objects. */
export const ROOT_FIELDS: readonly string[] = Object.values(OperationTypeNode).flatMap((kind) =>
  Object.values(schema.getRootType(kind)?.getFields() ?? {})
    .filter(({ type }) => objectTypeOf({ type }) !== null || getNamedType(type).name === 'Node')
    .map(({ name }) => `${schema.getRootType(kind)?.name ?? ''}.${name}`),
);
