import { Field, ID, InterfaceType } from 'type-graphql';
import type { FoundNode } from '../services/nodes.js';

@InterfaceType('Node', {
  description: 'Anything that has an id of its own.',
  resolveType: (node: FoundNode) => node.kind,
})
export abstract class Node {
  @Field(() => ID, { description: 'Unique and unchanging.' })
  id!: string;
}
