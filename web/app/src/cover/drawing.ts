/** A cover that is drawn from the name of the story, so that each story has its own and keeps it. */
export interface Drawing {
  readonly background: string;
  /** The colour of the title. */
  readonly ink: string;
  /** Paths in a box of 300 × 400, drawn one over the other. */
  readonly shapes: readonly Shape[];
}

export interface Shape {
  readonly path: string;
  readonly fill: string;
}

interface Palette {
  readonly sky: string;
  readonly far: string;
  readonly near: string;
  readonly lit: string;
  readonly ink: string;
}

const NIGHT: Palette = {
  sky: '#1f2a44',
  far: '#33456b',
  near: '#141c30',
  lit: '#f2c46d',
  ink: '#fff6e3',
};

const PALETTES: readonly Palette[] = [
  NIGHT,
  { sky: '#7a2f2b', far: '#a5493a', near: '#4d1b1d', lit: '#ffd9a0', ink: '#fff1e0' },
  { sky: '#23473f', far: '#39695b', near: '#14302a', lit: '#f4d58a', ink: '#f5f2df' },
  { sky: '#4b3560', far: '#6d5088', near: '#2f203f', lit: '#f6c9a8', ink: '#fbeff3' },
  { sky: '#8a5216', far: '#b57624', near: '#56300a', lit: '#ffe6b0', ink: '#fff4dd' },
  { sky: '#24506b', far: '#3b7391', near: '#143345', lit: '#ffdf9e', ink: '#eef6f8' },
];

const TOP = { width: 300, height: 400 };

/** FNV-1a, which spreads short texts well. */
export function hashOf(text: string): number {
  let hash = 0x811c9dc5;
  for (const character of text) {
    hash ^= character.codePointAt(0) ?? 0;
    hash = Math.imul(hash, 0x01000193) >>> 0;
  }
  return hash;
}

/** Numbers from 0 to 1 that follow from the seed. */
function chance(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state ^ (state >>> 15), 0x2c1b3c6d) + 0x9e3779b9) >>> 0;
    return ((state ^ (state >>> 13)) >>> 0) / 0x1_0000_0000;
  };
}

export function drawCover(slug: string): Drawing {
  const hash = hashOf(slug);
  const palette = PALETTES[hash % PALETTES.length] ?? NIGHT;
  const motif = MOTIFS[Math.floor(hash / PALETTES.length) % MOTIFS.length] ?? moonOverHills;
  return {
    background: palette.sky,
    ink: palette.ink,
    shapes: [...motif(palette, chance(hash)), { path: foot(), fill: palette.near }],
  };
}

/** The ground on which the title stands: nothing of the motif runs through its letters. */
const foot = (): string => `M0 262H${TOP.width}V${TOP.height}H0Z`;

const circle = (x: number, y: number, radius: number): string =>
  `M${round(x - radius)} ${round(y)}a${round(radius)} ${round(radius)} 0 1 0 ${round(2 * radius)} 0a${round(radius)} ${round(radius)} 0 1 0 ${round(-2 * radius)} 0Z`;
const box = (x: number, y: number, width: number, height: number): string =>
  `M${round(x)} ${round(y)}h${round(width)}v${round(height)}h${round(-width)}Z`;
const round = (value: number): number => Math.round(value * 10) / 10;

type Motif = (palette: Palette, next: () => number) => Shape[];

const moonOverHills: Motif = (palette, next) => {
  const [x, height] = [80 + next() * 140, 20 + next() * 30];
  return [
    { path: circle(x, 92, 44), fill: palette.lit },
    { path: circle(x + 18, 82, 38), fill: palette.sky },
    {
      path: `M0 ${round(205 + height)}Q75 ${round(150 - height)} 160 210T300 ${round(190 + height)}V262H0Z`,
      fill: palette.far,
    },
  ];
};

const waves: Motif = (palette, next) => {
  const rows = [150, 186, 222];
  const sun = { path: circle(70 + next() * 160, 120, 40), fill: palette.lit };
  return [
    sun,
    ...rows.map((y, row) => ({
      path: `M-40 ${y}${Array.from({ length: 5 }, () => `q20 ${-18 - row * 4} 40 0t40 0`).join('')}V262H-40Z`,
      fill: row % 2 === 0 ? palette.far : palette.near,
    })),
  ];
};

const lamp: Motif = (palette, next) => {
  const x = 110 + next() * 80;
  return [
    {
      path: `M${round(x - 20)} 118L${round(x - 110)} 262H${round(x + 110)}L${round(x + 20)} 118Z`,
      fill: palette.far,
    },
    { path: box(x - 4, 0, 8, 64), fill: palette.near },
    { path: `M${round(x - 56)} 118a56 56 0 0 1 112 0Z`, fill: palette.near },
    { path: circle(x, 118, 20), fill: palette.lit },
  ];
};

const stars: Motif = (palette, next) => [
  ...Array.from({ length: 26 }, (_, index) => ({
    path: circle(15 + next() * 270, 20 + next() * 215, index % 6 === 0 ? 6 : 1.5 + next() * 2),
    fill: index % 3 === 0 ? palette.ink : palette.lit,
  })),
  { path: 'M0 262L70 190L120 236L190 168L300 262Z', fill: palette.far },
];

const rings: Motif = (palette, next) => {
  const [x, y] = [70 + next() * 160, 130 + next() * 40];
  return [105, 84, 63, 42, 21].map((radius, index) => ({
    path: circle(x, y, radius),
    fill: [palette.far, palette.near, palette.far, palette.sky, palette.lit][index] ?? palette.lit,
  }));
};

const litWindows: Motif = (palette, next) => {
  const houses = [0, 1, 2, 3].map((index) => {
    const [x, top] = [index * 76 - 2, 90 + next() * 80];
    return { x, top };
  });
  return [
    { path: circle(240, 54, 22), fill: palette.lit },
    ...houses.flatMap(({ x, top }, index) => [
      {
        path: `M${x} 262V${round(top)}l36 -26 36 26V262Z`,
        fill: index % 2 === 0 ? palette.near : palette.far,
      },
      ...[0, 1, 2]
        .filter(() => next() > 0.35)
        .map((row) => ({
          path: box(x + 14 + next() * 24, top + 14 + row * 36, 16, 20),
          fill: palette.lit,
        })),
    ]),
  ];
};

const MOTIFS: readonly Motif[] = [moonOverHills, waves, lamp, stars, rings, litWindows];
