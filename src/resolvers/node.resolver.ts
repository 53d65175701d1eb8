import { Arg, Ctx, ID, Query, Resolver } from 'type-graphql';
import { findNode } from '../services/nodes.js';
import { Node } from './node.js';
import { findAsViewer, type Context } from './context.js';

@Resolver()
export class NodeResolver {
  @Query(() => Node, {
    nullable: true,
    description:
      'The object with this id, if it is public or your own. Administrators and auditors can also read all users, transactions, audit entries, proposals and unpublished stories. A device that is signed out can be read until its record is deleted. NOT_FOUND for any other id.',
  })
  node(
    @Ctx() context: Context,
    @Arg('id', () => ID, { description: 'The id of the object.' }) id: string,
  ): Promise<Node> {
    return findAsViewer(context, findNode(context.app, context.viewer, id));
  }
}
