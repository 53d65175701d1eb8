import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { createMerkleTree, leafData } from '../../src/domain/ledger/merkle.js';
import { halfOf, rootOf, sha256 } from '../support/merkle.js';

/** RFC 6962, section 2.1.1. */
function pathOf(index: number, leaves: readonly Uint8Array[]): Buffer[] {
  if (leaves.length === 1) return [];
  const half = halfOf(leaves.length);
  return index < half
    ? [...pathOf(index, leaves.slice(0, half)), rootOf(leaves.slice(half))]
    : [...pathOf(index - half, leaves.slice(half)), rootOf(leaves.slice(0, half))];
}

/** RFC 9162, section 2.1.3.2: another algorithm than the one that makes the path. */
function verifies(index: number, size: number, path: readonly Buffer[], leaf: Uint8Array): string {
  let [first, last, node] = [index, size - 1, sha256(Buffer.of(0), leaf)];
  for (const beside of path) {
    if (last === 0) return 'too long';
    if (first % 2 === 1 || first === last) {
      node = sha256(Buffer.of(1), beside, node);
      while (first % 2 === 0 && first !== 0) [first, last] = [first >> 1, last >> 1];
    } else node = sha256(Buffer.of(1), node, beside);
    [first, last] = [first >> 1, last >> 1];
  }
  return last === 0 ? node.toString('hex') : 'too short';
}

function treeOf(
  leaves: readonly Uint8Array[],
  index: number | null = null,
): ReturnType<typeof createMerkleTree> {
  const tree = createMerkleTree(index);
  for (const leaf of leaves) tree.add(leaf);
  return tree;
}

/** The leaves and roots that implementations of Certificate Transparency are tested with. */
const KNOWN_LEAVES = [
  ...['', '00', '10', '2021', '3031', '40414243', '5051525354555657'],
  '606162636465666768696a6b6c6d6e6f',
].map((hex) => Buffer.from(hex, 'hex'));
const KNOWN_ROOTS = [
  'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
  '6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d',
  'fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125',
  'aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77',
  'd37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7',
  '4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4',
  '76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef',
  'ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c',
  '5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328',
];

test.each(KNOWN_ROOTS.map((root, size): [number, string] => [size, root]))(
  'the root over %d known leaves is the known one',
  (size, root) => {
    expect(treeOf(KNOWN_LEAVES.slice(0, size)).root().toString('hex')).toBe(root);
  },
);

const someLeaves = (count: number): Buffer[] =>
  Array.from({ length: count }, (_, index) => sha256(Buffer.from(String(index))));

test('for every size up to 70 the root is that of the definition, and the path of every leaf leads to it', () => {
  for (let size = 1; size <= 70; size += 1) {
    const leaves = someLeaves(size);
    const root = rootOf(leaves);
    for (const [index, leaf] of leaves.entries()) {
      const tree = treeOf(leaves, index);
      expect(tree.root()).toEqual(root);
      expect(tree.path()).toEqual(pathOf(index, leaves));
      expect(verifies(index, size, tree.path(), leaf)).toBe(root.toString('hex'));
    }
  }
});

test('a tree of any leaves is that of the definition, and neither the root nor the path changes it', () => {
  const leaf = fc.uint8Array({ maxLength: 40 });
  fc.assert(
    fc.property(fc.array(leaf, { minLength: 1, maxLength: 70 }), fc.nat(), (leaves, chosen) => {
      const index = chosen % leaves.length;
      const tree = createMerkleTree(index);
      for (const [at, data] of leaves.entries()) {
        tree.add(data);
        tree.path();
        expect(tree.root()).toEqual(rootOf(leaves.slice(0, at + 1)));
      }
      expect(tree.size()).toBe(leaves.length);
      expect(tree.path()).toEqual(pathOf(index, leaves));
    }),
  );
});

test('the data of a leaf is the hash of the account, its number and its head', () => {
  const userId = '01a2290d-0000-7000-8000-000000000001';
  const headHash = 'ab'.repeat(32);
  expect(leafData({ userId, lastSeq: 12, headHash })).toEqual(
    sha256(Buffer.from(`${userId}|12|${headHash}`)),
  );
});
