/** Numbers have a type of their own, because a negative number is no formula although it begins with a minus. */
export type Cell = string | number | null;

/**
 * First characters that make a spreadsheet read a text as a formula. Some spreadsheets skip leading tabs and line ends.
 */
const FORMULA_SIGNS = new Set(['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠']);
const QUOTED_SIGNS = [',', '"', '\r', '\n'];

/**
 * A record of RFC 4180 with its line end. A text that a spreadsheet would read as a formula gets an apostrophe in
 * front.
 */
export const csvLine = (cells: readonly Cell[]): string => `${cells.map(field).join(',')}\r\n`;

function field(cell: Cell): string {
  if (cell === null) return '';
  if (typeof cell === 'number') return String(cell);
  const text = FORMULA_SIGNS.has(cell.charAt(0)) ? `'${cell}` : cell;
  return QUOTED_SIGNS.some((sign) => text.includes(sign))
    ? `"${text.replaceAll('"', '""')}"`
    : text;
}
