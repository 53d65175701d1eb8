import { createHash } from 'node:crypto';

/** The prefixes of RFC 6962, section 2.1, which prevent that a node is passed off as a leaf. */
const LEAF = Buffer.of(0);
const NODE = Buffer.of(1);

const hashOf = (...parts: readonly Uint8Array[]): Buffer =>
  createHash('sha256').update(Buffer.concat(parts)).digest();

/** A complete subtree of 2 ** height leaves. */
interface Subtree {
  readonly height: number;
  readonly hash: Buffer;
  /** Whether it contains the leaf whose path is wanted. */
  readonly holdsLeaf: boolean;
}

/** A Merkle tree that is built leaf by leaf. Its memory grows with the logarithm of the number of leaves. */
export interface MerkleTree {
  add(data: Uint8Array): void;
  size(): number;
  /** RFC 6962, section 2.1. The root of an empty tree is the hash of nothing. */
  root(): Buffer;
  /** RFC 6962, section 2.1.1: the sibling hashes on the path from the leaf to the root, lowest first. */
  path(): Buffer[];
}

/** @param leafIndex the index of the leaf whose path is wanted, from 0 */
export function createMerkleTree(leafIndex: number | null = null): MerkleTree {
  const subtrees: Subtree[] = [];
  const beside: Buffer[] = [];
  let size = 0;
  const join = (left: Subtree, right: Subtree, path: Buffer[]): Subtree => {
    if (left.holdsLeaf) path.push(right.hash);
    if (right.holdsLeaf) path.push(left.hash);
    return {
      height: left.height + 1,
      hash: hashOf(NODE, left.hash, right.hash),
      holdsLeaf: left.holdsLeaf || right.holdsLeaf,
    };
  };
  /** Joins the incomplete subtrees at the right end, from right to left. */
  const close = (path: Buffer[]): Buffer => {
    const last = subtrees.at(-1);
    if (last === undefined) return hashOf();
    return subtrees.slice(0, -1).reduceRight((right, left) => join(left, right, path), last).hash;
  };
  return {
    add(data) {
      let subtree: Subtree = { height: 0, hash: hashOf(LEAF, data), holdsLeaf: size === leafIndex };
      while (subtrees.at(-1)?.height === subtree.height)
        subtree = join(subtrees.pop() ?? subtree, subtree, beside);
      subtrees.push(subtree);
      size += 1;
    },
    size: () => size,
    root: () => close([]),
    path() {
      const path = [...beside];
      close(path);
      return path;
    },
  };
}

/** An account in an anchor. */
export interface AnchorLeaf {
  readonly userId: string;
  readonly lastSeq: number;
  /** Hex. */
  readonly headHash: string;
}

/** The data of a leaf in the tree of an anchor. */
export const leafData = ({ userId, lastSeq, headHash }: AnchorLeaf): Buffer =>
  hashOf(Buffer.from(`${userId}|${String(lastSeq)}|${headHash}`));
