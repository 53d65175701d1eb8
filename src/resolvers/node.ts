import { Field, ID, InterfaceType } from 'type-graphql';
import type { FoundNode } from '../services/nodes.js';

@InterfaceType('Node', {
  description: 'An object with a globally unique id.',
  resolveType: (node: FoundNode) => node.kind,
})
export abstract class Node {
  @Field(() => ID, { description: 'The globally unique id. It never changes.' })
  id!: string;
}
