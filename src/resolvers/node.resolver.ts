import { Arg, Ctx, ID, Query, Resolver } from 'type-graphql';
import { findNode } from '../services/nodes.js';
import { Node } from './node.js';
import { findAsViewer, type Context } from './context.js';

@Resolver()
export class NodeResolver {
  @Query(() => Node, {
    nullable: true,
    description:
      'Anything public or your own, by its id; NOT_FOUND for anything else. Administrators and auditors also find people, movements, audit entries, proposals and stories that are not published. Devices are found for as long as they are kept, even when they are signed out.',
  })
  node(
    @Ctx() context: Context,
    @Arg('id', () => ID, { description: 'Its id.' }) id: string,
  ): Promise<Node> {
    return findAsViewer(context, findNode(context.app, context.viewer, id));
  }
}
