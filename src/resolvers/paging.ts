import { ArgsType, Field, Int, ObjectType, type ClassType } from 'type-graphql';
import type { Page, PageArguments } from '../domain/paging.js';

@ObjectType({ description: 'The position of a page in its list.' })
export class PageInfo {
  @Field(() => Boolean, {
    description:
      'Whether there are more items after `endCursor`. With `last`, it only says whether `before` was given.',
  })
  hasNextPage!: boolean;

  @Field(() => Boolean, {
    description:
      'Whether there are more items before `startCursor`. Without `last`, it only says whether `after` was given.',
  })
  hasPreviousPage!: boolean;

  @Field(() => String, {
    nullable: true,
    description: 'The cursor of the first item of the page. Null when the page is empty.',
  })
  startCursor!: string | null;

  @Field(() => String, {
    nullable: true,
    description: 'The cursor of the last item of the page. Null when the page is empty.',
  })
  endCursor!: string | null;
}

@ArgsType()
export class PageArgs implements PageArguments {
  @Field(() => Int, {
    nullable: true,
    description:
      'The number of items from the beginning, 1 to 100. Default 20, unless `last` is given.',
  })
  first?: number | null;

  @Field(() => String, {
    nullable: true,
    description: 'Only items after this cursor, which must be of the same list.',
  })
  after?: string | null;

  @Field(() => Int, {
    nullable: true,
    description: 'The number of items from the end, 1 to 100. Cannot be combined with `first`.',
  })
  last?: number | null;

  @Field(() => String, {
    nullable: true,
    description: 'Only items before this cursor, which must be of the same list.',
  })
  before?: string | null;
}

export interface Edge<Node> {
  cursor: string;
  node: Node;
}

export interface Connection<Node> {
  edges: Edge<Node>[];
  nodes: Node[];
  pageInfo: PageInfo;
  /** Counted when it is read. Null in lists that are not counted. */
  readonly totalCount: Promise<number> | null;
}

/**
 * The edge and connection types of a node, after the Relay specification, with `nodes` as a short cut. A `counted` list
 * has `totalCount`, and its service gives `Page.count`.
 */
export function connectionOf<Node extends object>(
  name: string,
  node: () => ClassType<Node>,
  { counted = false }: { readonly counted?: boolean } = {},
): ClassType<Connection<Node>> {
  @ObjectType(`${name}Edge`, { description: `One ${name} and its cursor.` })
  class EdgeType implements Edge<Node> {
    @Field(() => String, {
      description: 'The opaque cursor of this item, for `after` and `before`.',
    })
    cursor!: string;

    @Field(node, { description: `The ${name}.` })
    node!: Node;
  }

  @ObjectType(`${name}Connection`, { description: `A page of a list of ${name} objects.` })
  class ConnectionType implements Connection<Node> {
    @Field(() => [EdgeType], { description: 'The items of the page, each with its cursor.' })
    edges!: EdgeType[];

    @Field(() => [node()], { description: 'The items of the page, without cursors.' })
    nodes!: Node[];

    @Field(() => PageInfo, {
      description: 'The cursors of the page, and whether there are items before and after it.',
    })
    pageInfo!: PageInfo;

    readonly totalCount!: Promise<number> | null;
  }
  if (counted)
    Field(() => Int, { description: TOTAL_COUNT })(ConnectionType.prototype, 'totalCount');
  return ConnectionType;
}

const TOTAL_COUNT =
  'The number of items in the whole list, with the same filter. At most 10,000 are counted: 10,001 means that there are more.';

/** The public face of a page. */
export function toConnection<Row>(page: Page<Row>): Connection<Row> {
  const { hasNextPage, hasPreviousPage } = page;
  return {
    edges: [...page.edges],
    nodes: page.edges.map((edge) => edge.node),
    pageInfo: {
      hasNextPage,
      hasPreviousPage,
      startCursor: page.edges[0]?.cursor ?? null,
      endCursor: page.edges.at(-1)?.cursor ?? null,
    },
    get totalCount(): Promise<number> | null {
      return page.count?.() ?? null;
    },
  };
}
