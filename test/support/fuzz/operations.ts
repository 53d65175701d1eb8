import fc from 'fast-check';
import {
  getNamedType,
  getNullableType,
  isAbstractType,
  isCompositeType,
  isEnumType,
  isInputObjectType,
  isListType,
  isNonNullType,
  isRequiredArgument,
  isRequiredInputField,
  type GraphQLArgument,
  type GraphQLCompositeType,
  type GraphQLField,
  type GraphQLInputField,
  type GraphQLInputType,
  type GraphQLObjectType,
  type GraphQLSchema,
} from 'graphql';
import {
  asJson,
  asLiteral,
  bare,
  FORGED_CURSORS,
  HOSTILE_INSTANTS,
  HOSTILE_NUMBERS,
  HOSTILE_TEXTS,
  KNOWN,
  KNOWN_BY_FIELD,
  KNOWN_BY_NAME,
  list,
  MISPLACED,
  NODES,
  object,
  SENSIBLE,
  text,
  type Known,
  type Value,
} from './values.js';

/** Who sends the operation. */
export type Asker = 'nobody' | 'user' | 'administrator';

/** As text, so that a failure can be read. Known values are written `{{kind:pick:twist}}` in both parts. */
export interface Operation {
  readonly asker: Asker;
  readonly query: string;
  /** JSON, also such as no object would come to: 1e400, the same name twice. */
  readonly variables: string;
  /** `Type.field` of all that it asks for. */
  readonly fields: ReadonlySet<string>;
}

/**
 * The relative frequency of each field. Slow fields, and those that harm other operations, are rarer. Fields that are
 * mostly refused are more frequent.
 */
const WEIGHTS: Readonly<Record<string, number>> = {
  runMaintenance: 2,
  deleteAccount: 3,
  exportMyData: 3,
  deleteAudio: 2,
  register: 3,
  login: 3,
  changePassword: 3,
  resetPassword: 3,
  synthesizeAudio: 14,
  grantCredits: 10,
  bulkGrantCredits: 10,
  revokeBulkGrant: 10,
  cancelAudio: 10,
  transaction: 10,
  creditLiability: 16,
  creditReport: 10,
};
const USUALLY = 7;
/** Two fields that are only valid together. */
const PRICE = ['priceMinor', 'currency'];

/**
 * Writes one operation, by what it is dealt. When that is used up everything is the first of its kind, and so
 * is what is dealt as 0: less of it is a smaller operation.
 */
class Author {
  private readonly declared: string[] = [];
  private readonly given: (readonly [string, Value])[] = [];
  private readonly fragments: string[] = [];
  private readonly fields = new Set<string>();
  private names = 0;
  private used = 0;
  /** The probability that a part is hostile, in thousandths. */
  private readonly hostility: number;

  constructor(
    private readonly schema: GraphQLSchema,
    private readonly dealt: Uint16Array,
  ) {
    this.hostility = this.pick([0, 0, 0, 30, 100, 300, 700]);
  }

  /** A whole number from 0 to the most. */
  private draw(most: number): number {
    const next = this.dealt[this.used] ?? 0;
    this.used += 1;
    return next % (most + 1);
  }

  private chance(thousandths: number): boolean {
    return this.draw(999) >= 1000 - thousandths;
  }

  private pick<Choice>(choices: readonly Choice[]): Choice {
    const chosen = choices[this.draw(Math.max(0, choices.length - 1))];
    if (chosen === undefined) throw new Error('There is nothing to pick from.');
    return chosen;
  }

  /** A text of random characters, most of them common ones. */
  private anyText(): string {
    return Array.from({ length: this.draw(30) }, () =>
      String.fromCharCode(this.draw(this.pick([127, 127, 0x17f, 0xffff]))),
    ).join('');
  }

  private hostile(): boolean {
    return this.chance(this.hostility);
  }

  private name(prefix: string): string {
    this.names += 1;
    return `${prefix}${String(this.names)}`;
  }

  operation(): Operation {
    const asker = this.pick<Asker>(['user', 'administrator', 'user', 'administrator', 'nobody']);
    const mutation = this.chance(550);
    const root = mutation ? this.schema.getMutationType() : this.schema.getQueryType();
    if (root == null) throw new Error('The schema lacks a root.');
    const fields = Object.values(root.getFields());
    const weighted = fields.flatMap((field) =>
      Array.from({ length: WEIGHTS[field.name] ?? USUALLY }, () => field),
    );
    const selected = Array.from({ length: 1 + (this.chance(250) ? this.draw(2) : 0) }, () =>
      this.field(root, this.pick(weighted), 1 + this.draw(5), true),
    );
    const body = selected.join(' ') + (this.hostile() ? ' nonsense { id }' : '');
    const declared = this.declared.length === 0 ? '' : `(${this.declared.join(', ')})`;
    const name = this.chance(300) ? ' Anything' : '';
    const kind = mutation ? 'mutation' : 'query';
    const document = [`${kind}${name}${declared} { ${body} }`, ...this.fragments].join(' ');
    if (this.hostile()) this.given.push(['unasked', this.pick(MISPLACED)]);
    return {
      asker,
      fields: this.fields,
      query: this.damaged(document),
      variables: this.chance(this.hostility / 20)
        ? asJson(this.pick(MISPLACED))
        : asJson(object(...this.given)),
    };
  }

  /** Seldom no GraphQL at all. */
  private damaged(document: string): string {
    if (!this.chance(this.hostility / 10)) return document;
    const at = this.draw(document.length);
    return this.chance(500)
      ? document.slice(0, at)
      : document.slice(0, at) + this.anyText() + document.slice(at);
  }

  private selections(type: GraphQLCompositeType, depth: number): string {
    if (isAbstractType(type)) {
      const some = this.schema.getPossibleTypes(type);
      const parts = Array.from({ length: 1 + this.draw(2) }, () =>
        this.inline(this.pick(some), depth),
      );
      return `{ __typename id ${parts.join(' ')} }`;
    }
    if (!('getFields' in type)) return '{ __typename }';
    const fields = Object.values(type.getFields());
    const leaves = fields.filter(({ type: of }) => !isCompositeType(getNamedType(of)));
    const eligible = depth > 1 ? fields : leaves;
    const count = 1 + this.draw(3);
    const parts =
      eligible.length === 0
        ? ['__typename']
        : Array.from({ length: count }, () => this.field(type, this.pick(eligible), depth - 1));
    if (this.hostile())
      parts.push(this.pick(['nonsense', '__schema { types { name } }', 'id: id']));
    if (!this.chance(80)) return `{ ${parts.join(' ')} }`;
    const fragment = this.name('F');
    this.fragments.push(`fragment ${fragment} on ${type.name} { ${parts.join(' ')} }`);
    return `{ ...${fragment} }`;
  }

  private inline(type: GraphQLObjectType, depth: number): string {
    // Fields of one name but other types in two of these would contradict each other.
    const others = `{ ${this.name('n')}: __typename }`;
    return `... on ${type.name} ${depth > 1 ? this.selections(type, depth) : others}`;
  }

  /** Under a name of its own where arguments could contradict those of the same field next to it. */
  private field(
    parent: GraphQLCompositeType,
    field: GraphQLField<unknown, unknown>,
    depth: number,
    atRoot = false,
  ): string {
    this.fields.add(`${parent.name}.${field.name}`);
    const type = getNamedType(field.type);
    const composite = isCompositeType(type);
    const alias = composite || field.args.length > 0 || this.chance(100);
    const args = this.arguments(field);
    const directive = this.chance(30) ? this.directive() : '';
    // A connection needs two levels to show anything.
    const inside = composite
      ? this.selections(type, Math.max(depth, /Connection$|Edge$/.test(type.name) ? 2 : 1))
      : this.hostile() && this.hostile()
        ? '{ id }'
        : '';
    const missing = composite && this.hostile() && this.hostile();
    const whole = `${alias ? `${this.name('a')}: ` : ''}${field.name}${args}${directive} ${missing ? '' : inside}`;
    return !atRoot && this.chance(40) ? `... on ${parent.name} { ${whole} }` : whole;
  }

  private directive(): string {
    const name = this.name('v');
    this.declared.push(`$${name}: Boolean!`);
    this.given.push([name, this.hostile() ? this.pick(MISPLACED) : bare('true')]);
    return ` @${this.hostile() ? 'nonsense' : 'include'}(if: $${name})`;
  }

  private arguments(field: GraphQLField<unknown, unknown>): string {
    const written: string[] = [];
    // `first` keeps what is asked for small, and so lets it through; two sizes at once are refused.
    const size = this.pick(['first', 'first', 'last']);
    const both = this.hostile();
    for (const arg of field.args) {
      const isSize = arg.name === 'first' || arg.name === 'last';
      const wanted = isSize
        ? both || arg.name === size
        : isRequiredArgument(arg)
          ? !(this.hostile() && this.hostile())
          : this.chance(350);
      if (wanted) written.push(`${arg.name}: ${this.argument(arg, field.name)}`);
    }
    if (this.hostile() && this.hostile())
      written.push(`nonsense: ${asLiteral(this.pick(MISPLACED))}`);
    return written.length === 0 ? '' : `(${written.join(', ')})`;
  }

  private argument(arg: GraphQLArgument, of: string): string {
    const value = this.value(arg.type, arg.name, of);
    const long = asJson(value).length > 2000;
    if (!long && this.chance(500)) return asLiteral(value);
    const name = this.name('v');
    const wrong = this.hostile() && this.hostile();
    const type = wrong
      ? this.pick([
          'Int',
          'String',
          '[String!]',
          'ID',
          'DateTime',
          'StoryInput',
          'Nonsense',
          'User',
        ])
      : String(arg.type);
    this.declared.push(`$${name}: ${type}`);
    if (!(this.hostile() && this.hostile())) this.given.push([name, value]);
    return `$${name}`;
  }

  private value(type: GraphQLInputType, name: string, of: string): Value {
    if (this.hostile()) return this.hostileValue(type, name);
    const inner = getNullableType(type);
    if (isListType(inner)) {
      const item = inner.ofType;
      // One alone stands for a list of it.
      if (this.chance(150)) return this.value(item, name, of);
      return list(...Array.from({ length: this.draw(3) }, () => this.value(item, name, of)));
    }
    if (isEnumType(inner))
      return { is: 'name', text: this.pick(inner.getValues().map((one) => one.name)) };
    if (isInputObjectType(inner)) {
      const fields: (readonly [string, Value])[] = [];
      const together = [this.pick(['userId', 'email'])];
      if ('priceMinor' in inner.getFields() && this.chance(300)) together.push(...PRICE);
      for (const field of Object.values(inner.getFields())) {
        if (this.leavesOut(field, together)) continue;
        fields.push([field.name, this.value(field.type, field.name, inner.name)]);
      }
      if (this.hostile())
        fields.push([this.pick(['nonsense', '__proto__', 'constructor']), this.pick(MISPLACED)]);
      return object(...fields);
    }
    return this.scalar(inner.name, name, of);
  }

  /** @param together the chosen fields of the groups: `userId` or `email`, and both fields of a price or neither */
  private leavesOut(field: GraphQLInputField, together: readonly string[]): boolean {
    if (isRequiredInputField(field)) return this.hostile() && this.hostile();
    if (field.name === 'userId' || field.name === 'email' || PRICE.includes(field.name))
      return !together.includes(field.name) && !this.hostile();
    return this.chance(550);
  }

  private scalar(type: string, name: string, of: string): Value {
    // Someone who is not there yet.
    if (name === 'email' && of === 'RegisterInput')
      return text(`new-${String(this.draw(65_535))}@example.com`);
    const known =
      of === 'StoryInput' && name === 'slug'
        ? undefined
        : name === 'id'
          ? (KNOWN_BY_FIELD[of] ?? this.pick(NODES))
          : KNOWN_BY_NAME[name];
    if (known !== undefined) return this.known(known);
    const sensible = SENSIBLE[name];
    if (sensible !== undefined) return this.pick(sensible);
    if (type === 'Boolean') return bare(this.pick(['true', 'false']));
    if (type === 'Int' || type === 'SafeInt') return bare(this.draw(100));
    return text(`tale-${String(this.draw(1000))}`);
  }

  private known(what: Known, twist = ''): Value {
    return text(`{{${what}:${String(this.draw(999))}:${twist}}}`);
  }

  private hostileValue(type: GraphQLInputType, name: string): Value {
    const inner = getNamedType(type);
    if (this.chance(150)) return isNonNullType(type) ? bare('null') : this.pick(MISPLACED);
    if (this.chance(100)) return this.pick(MISPLACED);
    if (isEnumType(inner))
      return this.pick<Value>([
        { is: 'name', text: 'NONSENSE' },
        { is: 'name', text: inner.getValues()[0]?.name.toLowerCase() ?? '' },
        text(inner.getValues()[0]?.name ?? ''),
        list(list()),
      ]);
    if (isInputObjectType(inner)) return this.pick([object(), list(object()), text('{}')]);
    if (inner.name === 'Int' || inner.name === 'SafeInt') return bare(this.pick(HOSTILE_NUMBERS));
    if (inner.name === 'DateTime') return text(this.pick(HOSTILE_INSTANTS));
    if ((name === 'after' || name === 'before') && this.chance(700))
      return this.chance(400)
        ? this.known('cursor', this.pick(['cut', 'changed', 'upper', 'longer']))
        : text(this.pick(FORGED_CURSORS));
    if (this.chance(300))
      return this.known(this.pick(KNOWN), this.pick(['', 'upper', 'cut', 'changed', 'longer']));
    return text(this.chance(200) ? this.anyText() : this.pick(HOSTILE_TEXTS));
  }
}

/** Enough for all but the longest. */
const DEALT_MAX = 400;

/** Random operations of a schema: what people send, what they send by mistake, and what is sent to do harm. */
export const operationsOf = (schema: GraphQLSchema): fc.Arbitrary<Operation> =>
  fc
    .uint16Array({ maxLength: DEALT_MAX, size: 'max' })
    .map((dealt) => new Author(schema, dealt).operation());

/** Each makes another value of a known one. */
const TWISTS: Readonly<Record<string, (value: string) => string>> = {
  upper: (value) => value.toUpperCase(),
  cut: (value) => value.slice(0, -3),
  changed: (value) => value.replace(/.(.{2})$/, (_whole, end: string) => `0${end}`),
  longer: (value) => `${value}AA`,
};

/** The text with the values that there are now. What is not known stays as it is, and is nothing's name. */
export const filledIn = (
  written: string,
  known: Readonly<Record<Known, readonly string[]>>,
): string =>
  written.replace(
    /\{\{(\w+):(\d+):(\w*)\}\}/g,
    (whole, what: string, pick: string, twist: string) => {
      const values = known[what as Known];
      const value = values[Number(pick) % Math.max(1, values.length)];
      return value === undefined ? whole : (TWISTS[twist]?.(value) ?? value);
    },
  );
