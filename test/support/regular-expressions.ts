import { spawn } from 'node:child_process';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';

/** A regular expression of the source, and where it stands. */
export interface Expression {
  readonly path: string;
  readonly source: string;
  readonly flags: string;
}

/** What is written between slashes, and how many are made with `RegExp` while the process runs. */
export function expressionsOf(path: string, code: string): { literal: Expression[]; made: number } {
  const literal: Expression[] = [];
  let made = 0;
  const visit = (node: ts.Node): void => {
    if (ts.isRegularExpressionLiteral(node)) {
      const end = node.text.lastIndexOf('/');
      literal.push({ path, source: node.text.slice(1, end), flags: node.text.slice(end + 1) });
    }
    if (
      (ts.isNewExpression(node) || ts.isCallExpression(node)) &&
      ts.isIdentifier(node.expression) &&
      node.expression.text === 'RegExp'
    )
      made += 1;
    ts.forEachChild(node, visit);
  };
  visit(ts.createSourceFile(path, code, ts.ScriptTarget.Latest, true));
  return { literal, made };
}

const ANALYSIS = fileURLToPath(new URL('./analyse-expressions.mjs', import.meta.url));

/** How the time that each takes grows with the text: 1 is linear; null is exponential, or cannot be told. */
export async function degreesOf(expressions: readonly Expression[]): Promise<(number | null)[]> {
  const child = spawn(process.execPath, [ANALYSIS], { stdio: ['pipe', 'pipe', 'inherit'] });
  child.stdin.end(JSON.stringify(expressions.map(({ source, flags }) => [source, flags])));
  return JSON.parse(await text(child.stdout)) as (number | null)[];
}
