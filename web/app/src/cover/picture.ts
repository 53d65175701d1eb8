import { drawCover } from './drawing.js';

/** The cover as a picture for the lock screen, which shows no drawings. Null where the browser cannot make one. */
export async function pictureOf(slug: string, title: string): Promise<string | null> {
  const canvas = document.createElement('canvas');
  const size = 512;
  canvas.width = size;
  canvas.height = size;
  const context = canvas.getContext('2d');
  if (context === null) return null;
  const drawing = drawCover(slug);
  context.fillStyle = drawing.background;
  context.fillRect(0, 0, size, size);
  context.translate((size - 384) / 2, 0);
  context.scale(1.28, 1.28);
  for (const { path, fill } of drawing.shapes) {
    context.fillStyle = fill;
    context.fill(new Path2D(path));
  }
  writeTitle(context, title, drawing.ink);
  return new Promise((resolve) => {
    canvas.toBlob((blob) => resolve(blob === null ? null : URL.createObjectURL(blob)), 'image/png');
  });
}

function writeTitle(context: CanvasRenderingContext2D, title: string, ink: string): void {
  context.fillStyle = ink;
  context.font = '600 32px Fraunces, serif';
  const lines: string[] = [];
  for (const word of title.split(' ')) {
    const line = lines.at(-1);
    if (line !== undefined && context.measureText(`${line} ${word}`).width < 262)
      lines[lines.length - 1] = `${line} ${word}`;
    else lines.push(word);
  }
  for (const [index, line] of lines.slice(0, 3).entries())
    context.fillText(line, 20, 304 + index * 37);
}
