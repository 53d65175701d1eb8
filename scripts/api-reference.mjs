/**
 * Writes docs/api-reference.md from schema.graphql, without a server. With `--check` it only compares.
 */
import { readFile } from 'node:fs/promises';
import {
  buildSchema,
  isEnumType,
  isInputObjectType,
  isInterfaceType,
  isIntrospectionType,
  isObjectType,
  isScalarType,
  isSpecifiedScalarType,
  isUnionType,
} from 'graphql';
import { cell, keepPage } from './written-page.mjs';

const schema = buildSchema(await readFile(new URL('../schema.graphql', import.meta.url), 'utf8'));
const INTRODUCTION = `# API reference

Every operation and type of the API, with its description. [api.md](api.md) explains how to use them: addresses, signing
in, paging, idempotency, errors and limits.

\`npm run docs:api\` writes this page from \`schema.graphql\`.`;

const roots = [
  ['Queries', schema.getQueryType()],
  ['Mutations', schema.getMutationType()],
  ['Subscriptions', schema.getSubscriptionType()],
];
const named = Object.values(schema.getTypeMap())
  .filter((type) => !isIntrospectionType(type) && !isSpecifiedScalarType(type))
  .filter((type) => !roots.some(([, root]) => root === type))
  .sort((one, other) => one.name.localeCompare(other.name, 'en'));

/** The anchors of types. One whose lower case is also that of an operation gets a number, as GitHub gives it. */
const operationNames = roots.flatMap(([, root]) => Object.keys(root?.getFields() ?? {}));
const anchorOf = (name) => {
  const anchor = name.toLowerCase();
  const before = operationNames.filter((one) => one.toLowerCase() === anchor).length;
  return before === 0 ? anchor : `${anchor}-${String(before)}`;
};
/** A type, with a link when it is described on this page. */
function typeText(type) {
  const text = String(type);
  const name = text.replaceAll(/[[\]!]/g, '');
  const isHere = named.some((one) => one.name === name);
  return isHere ? `[\`${text}\`](#${anchorOf(name)})` : `\`${text}\``;
}
const about = ({ description, deprecationReason }) =>
  [
    ...(deprecationReason == null ? [] : [`**Deprecated:** ${deprecationReason}`]),
    description ?? '',
  ].join(' ');

function tableOf(head, rows) {
  const lines = rows.map((row) => `| ${row.map(cell).join(' | ')} |`);
  return [`| ${head.join(' | ')} |`, `|${' --- |'.repeat(head.length)}`, ...lines].join('\n');
}

function argumentsOf(field) {
  if (field.args.length === 0) return '';
  const rows = field.args.map((argument) => [
    `\`${argument.name}\``,
    typeText(argument.type),
    about(argument),
  ]);
  return `\n${tableOf(['argument', 'type', 'description'], rows)}\n`;
}

const operation = (field) =>
  `### ${field.name}\n\nReturns ${typeText(field.type)}. ${about(field)}\n${argumentsOf(field)}`;

function fieldsOf(type) {
  const rows = Object.values(type.getFields()).map((field) => {
    const taken = (field.args ?? []).map(
      (argument) => `\`${argument.name}\`: ${typeText(argument.type)}`,
    );
    const text =
      taken.length === 0 ? about(field) : `${about(field)} Arguments: ${taken.join(', ')}.`;
    return [`\`${field.name}\``, typeText(field.type), text];
  });
  return tableOf(['field', 'type', 'description'], rows);
}

function bodyOf(type) {
  if (isEnumType(type))
    return tableOf(
      ['value', 'description'],
      type.getValues().map((value) => [`\`${value.name}\``, about(value)]),
    );
  if (isUnionType(type)) return `One of ${type.getTypes().map(typeText).join(', ')}.`;
  if (isScalarType(type)) return '';
  const faces = isObjectType(type) ? type.getInterfaces() : [];
  const implemented = faces.length === 0 ? '' : `Implements ${faces.map(typeText).join(', ')}.\n\n`;
  return implemented + fieldsOf(type);
}

const KINDS = [
  ['Types', (type) => isObjectType(type)],
  ['Interfaces and unions', (type) => isInterfaceType(type) || isUnionType(type)],
  ['Inputs', (type) => isInputObjectType(type)],
  ['Enums', (type) => isEnumType(type)],
  ['Scalars', (type) => isScalarType(type)],
];

const parts = [INTRODUCTION];
for (const [title, root] of roots)
  if (root != null)
    parts.push(`## ${title}`, ...Object.values(root.getFields()).map((field) => operation(field)));
for (const [title, belongs] of KINDS) {
  const types = named.filter(belongs);
  if (types.length === 0) continue;
  parts.push(`## ${title}`);
  for (const type of types) parts.push(`### ${type.name}`, about(type), bodyOf(type));
}
await keepPage('api-reference.md', `${parts.join('\n\n')}\n`, 'docs:api');
