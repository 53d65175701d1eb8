import { createHash } from 'node:crypto';
import { encode } from 'fast-png';

type Colour = readonly [red: number, green: number, blue: number];

interface Palette {
  readonly sky: Colour;
  readonly far: Colour;
  readonly near: Colour;
  readonly moon: Colour;
}

const NIGHT: Palette = {
  sky: [31, 42, 68],
  far: [51, 69, 107],
  near: [20, 28, 48],
  moon: [242, 196, 109],
};
/** The palettes of the web app's drawn covers. */
const PALETTES: readonly Palette[] = [
  NIGHT,
  { sky: [122, 47, 43], far: [165, 73, 58], near: [77, 27, 29], moon: [255, 217, 160] },
  { sky: [35, 71, 63], far: [57, 105, 91], near: [20, 48, 42], moon: [244, 213, 138] },
  { sky: [75, 53, 96], far: [109, 80, 136], near: [47, 32, 63], moon: [246, 201, 168] },
  { sky: [138, 82, 22], far: [181, 118, 36], near: [86, 48, 10], moon: [255, 230, 176] },
  { sky: [36, 80, 107], far: [59, 115, 145], near: [20, 51, 69], moon: [255, 223, 158] },
];
/** Where the moon is, as a share of the width. */
const MOONS = [0.28, 0.5, 0.7] as const;

const SIZE = 300;

/** Drawn once each, because drawing takes a few milliseconds. */
const drawn = new Map<number, Uint8Array>();

/**
 * The picture of a story in the tag of its recordings, as PNG: one of a few, chosen by the title, so that equal titles
 * have equal pictures. It is drawn here, because the server fetches no address that an administrator has entered, such
 * as that of a cover. Such an address may point into the operator's own network.
 */
export function drawnCover(title: string): Uint8Array {
  const chosen = createHash('sha256').update(title).digest().readUInt32BE();
  const kind = chosen % (PALETTES.length * MOONS.length);
  const known = drawn.get(kind);
  if (known !== undefined) return known;
  const palette = PALETTES[kind % PALETTES.length] ?? NIGHT;
  const picture = draw(palette, MOONS[Math.floor(kind / PALETTES.length)] ?? MOONS[0]);
  drawn.set(kind, picture);
  return picture;
}

function draw({ sky, far, near, moon }: Palette, moonX: number): Uint8Array {
  const data = new Uint8Array(SIZE * SIZE * 3);
  for (let x = 0; x < SIZE; x += 1) {
    const right = x / SIZE;
    const nearFrom = SIZE * (0.84 + 0.04 * Math.sin(right * 9));
    const farFrom = SIZE * (0.68 - 0.09 * Math.sin(right * 6 + moonX * 7));
    for (let y = 0; y < SIZE; y += 1) {
      const ground = y > nearFrom ? near : y > farFrom ? far : null;
      data.set(ground ?? (isMoon(right - moonX, y / SIZE) ? moon : sky), (y * SIZE + x) * 3);
    }
  }
  return encode({ width: SIZE, height: SIZE, data, channels: 3, depth: 8 });
}

/** Whether a point is on the crescent. @param right counted from the middle of the moon */
const isMoon = (right: number, down: number): boolean =>
  isWithin(right, down - 0.3, 0.15) && !isWithin(right - 0.06, down - 0.265, 0.13);

const isWithin = (right: number, down: number, radius: number): boolean =>
  right * right + down * down <= radius * radius;
