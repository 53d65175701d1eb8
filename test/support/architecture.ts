import { posix } from 'node:path';
import ts from 'typescript';

/** A source file: its path below src/, and what stands in it. */
export interface Source {
  readonly path: string;
  readonly text: string;
}

interface Import {
  /** Below src/; a package's name for anything else. */
  readonly target: string;
  readonly typeOnly: boolean;
}

/** From layer to layers. What is at the top of src/ wires everything, and cli/ starts it. */
const ARROWS: Readonly<Record<string, readonly string[]>> = {
  domain: [],
  infra: ['domain'],
  services: ['domain', 'infra'],
  resolvers: ['domain', 'services'],
  jobs: ['domain', 'services'],
  http: ['domain', 'services', 'resolvers'],
};
/** Imported from below as types alone: what a function may use is passed to it. */
const PASSED_DOWN = ['config'];

const layerOf = (path: string): string => (path.includes('/') ? (path.split('/')[0] ?? '') : 'top');

/** Every import of a file, in any place: declarations, `import()` of values, and `import()` in a type. */
function importsOf({ path, text }: Source): Import[] {
  const file = ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true);
  const found: Import[] = [];
  const add = (specifier: ts.Node | undefined, typeOnly: boolean): void => {
    if (specifier !== undefined && ts.isStringLiteralLike(specifier))
      found.push({ target: resolve(path, specifier.text), typeOnly });
  };
  const look = (node: ts.Node): void => {
    if (ts.isImportDeclaration(node) || ts.isExportDeclaration(node))
      add(node.moduleSpecifier, isTypeOnly(node));
    else if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument))
      add(node.argument.literal, true);
    else if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword)
      add(node.arguments[0], false);
    ts.forEachChild(node, look);
  };
  look(file);
  return found;
}

const resolve = (from: string, specifier: string): string =>
  specifier.startsWith('.')
    ? posix.join(posix.dirname(from), specifier).replace(/\.js$/, '')
    : `package:${specifier}`;

function isTypeOnly(statement: ts.ImportDeclaration | ts.ExportDeclaration): boolean {
  if (ts.isExportDeclaration(statement)) return statement.isTypeOnly;
  const clause = statement.importClause;
  if (clause === undefined) return false;
  const { namedBindings, name } = clause;
  if (clause.phaseModifier === ts.SyntaxKind.TypeKeyword) return true;
  const named =
    namedBindings !== undefined && ts.isNamedImports(namedBindings) ? namedBindings.elements : [];
  return name === undefined && named.length > 0 && named.every((element) => element.isTypeOnly);
}

/** Every arrow that must not be, as `from → to`. */
export function wrongArrows(sources: readonly Source[]): string[] {
  return sources.flatMap((source) => {
    const layer = layerOf(source.path);
    const allowed = ARROWS[layer];
    return importsOf(source)
      .filter(({ target, typeOnly }) => {
        if (target.startsWith('package:')) return false;
        if (target === 'main') return true;
        if (allowed === undefined) return false;
        if (PASSED_DOWN.includes(target)) return layer === 'domain' || !typeOnly;
        const to = layerOf(target);
        if (to === 'generated') return !(layer === 'infra' || (layer === 'services' && typeOnly));
        return to !== layer && !allowed.includes(to);
      })
      .map(({ target }) => `${source.path} → ${target}`);
  });
}

/** Files that import each other in a cycle, type imports included. */
export function cycles(sources: readonly Source[]): string[] {
  const graph = new Map(
    sources.map((source) => [
      source.path.replace(/\.ts$/, ''),
      importsOf(source).map(({ target }) => target),
    ]),
  );
  const done = new Set<string>();
  const found: string[] = [];
  const visit = (path: string, trail: readonly string[]): void => {
    if (trail.includes(path)) {
      found.push([...trail.slice(trail.indexOf(path)), path].join(' → '));
      return;
    }
    if (done.has(path)) return;
    for (const target of graph.get(path) ?? []) visit(target, [...trail, path]);
    done.add(path);
  };
  for (const path of graph.keys()) visit(path, []);
  return found;
}

const RESOLVER_LINES_MAX = 8;

/** Resolver methods that branch, loop, or are longer than eight lines; and Prisma in a door. */
export function busyDoors(sources: readonly Source[]): string[] {
  return sources.flatMap((source) => {
    const layer = layerOf(source.path);
    const problems: string[] = [];
    if (['resolvers', 'jobs', 'http'].includes(layer)) {
      if (/\$(?:queryRaw|executeRaw|transaction)|\bapp\.db\b|generated\/prisma/.test(source.text)) {
        problems.push(`${source.path} reaches into the database`);
      }
    }
    if (!source.path.endsWith('.resolver.ts')) return problems;
    const file = ts.createSourceFile(source.path, source.text, ts.ScriptTarget.Latest, true);
    const look = (node: ts.Node, method: string): void => {
      if (BRANCHES.has(node.kind)) problems.push(`${source.path} ${method} branches`);
      ts.forEachChild(node, (child) => {
        look(child, method);
      });
    };
    for (const type of file.statements.filter((statement) => ts.isClassDeclaration(statement))) {
      for (const member of type.members.filter((one) => ts.isMethodDeclaration(one))) {
        const { body } = member;
        if (body === undefined) continue;
        const name = member.name.getText(file);
        look(body, name);
        const lines = body.getText(file).split('\n').length - 2;
        if (lines > RESOLVER_LINES_MAX)
          problems.push(`${source.path} ${name} has ${String(lines)} lines`);
      }
    }
    return problems;
  });
}

const BRANCHES = new Set([
  ts.SyntaxKind.IfStatement,
  ts.SyntaxKind.ConditionalExpression,
  ts.SyntaxKind.SwitchStatement,
  ts.SyntaxKind.ForStatement,
  ts.SyntaxKind.ForOfStatement,
  ts.SyntaxKind.WhileStatement,
]);

/** Files that read the environment although it is not theirs to read. */
export const environmentReaders = (sources: readonly Source[]): string[] =>
  sources
    .filter(({ path }) => !['main.ts', 'environment.ts'].includes(path) && layerOf(path) !== 'cli')
    // The parent gives a child process its PATH.
    .filter(({ text }) => /process\.env(?!\['PATH'\])/.test(text))
    .map(({ path }) => path);

/** The functions of a file with their lines, as `path name lines`. */
export function functionsOver(linesMax: number, sources: readonly Source[]): string[] {
  return sources.flatMap(({ path, text }) => {
    const file = ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true);
    const lineAt = (position: number): number => file.getLineAndCharacterOfPosition(position).line;
    const found: string[] = [];
    const look = (node: ts.Node): void => {
      if (ts.isFunctionLike(node) && 'body' in node && node.body !== undefined) {
        const lines = lineAt(node.end) - lineAt(node.getStart(file)) + 1;
        if (lines > linesMax) found.push(`${path} ${nameOf(node, file)} ${String(lines)}`);
      }
      ts.forEachChild(node, look);
    };
    look(file);
    return found;
  });
}

/** An arrow function has the name of what it is assigned to. */
function nameOf(node: ts.SignatureDeclaration, file: ts.SourceFile): string {
  const named = node.name ?? (ts.isVariableDeclaration(node.parent) ? node.parent.name : undefined);
  return named?.getText(file) ?? 'without a name';
}

/** Where a file tells the compiler what a type is, except `as const`, as `path text`. */
export function assertions(sources: readonly Source[]): string[] {
  return sources.flatMap(({ path, text }) => {
    const file = ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true);
    const found: string[] = [];
    const look = (node: ts.Node): void => {
      const asserts =
        (ts.isAsExpression(node) && node.type.getText(file) !== 'const') ||
        ts.isTypeAssertionExpression(node) ||
        ts.isNonNullExpression(node);
      if (asserts) found.push(`${path} ${node.getText(file)}`);
      ts.forEachChild(node, look);
    };
    look(file);
    return found;
  });
}

/** Exported functions, and exported constants that are functions, without a docstring, as `path name`. */
export function undocumented(sources: readonly Source[]): string[] {
  return sources.flatMap(({ path, text }) => {
    const file = ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true);
    return file.statements
      .filter((statement) => isExported(statement) && !hasDocstring(statement, file))
      .flatMap((statement) => functionNames(statement, file))
      .map((name) => `${path} ${name}`);
  });
}

const isExported = (statement: ts.Statement): boolean =>
  ts.canHaveModifiers(statement) &&
  (ts.getModifiers(statement) ?? []).some(({ kind }) => kind === ts.SyntaxKind.ExportKeyword);

/**
 * Whether a docstring stands above. Line comments may be between, such as those for ESLint. A docstring with a blank
 * line below it is about the file.
 */
function hasDocstring(statement: ts.Statement, file: ts.SourceFile): boolean {
  const above = file.text.slice(statement.getFullStart(), statement.getStart(file));
  const [, words = ''] = /\/\*\*((?:(?!\*\/)[^])*)\*\/(?:\n *\/\/.*)*\n *$/.exec(above) ?? [];
  return /[^\s*]/.test(words);
}

function functionNames(statement: ts.Statement, file: ts.SourceFile): string[] {
  if (ts.isFunctionDeclaration(statement)) return [statement.name?.text ?? 'without a name'];
  if (!ts.isVariableStatement(statement)) return [];
  return statement.declarationList.declarations
    .filter(({ initializer: value }) => value !== undefined && isFunction(value))
    .map(({ name }) => name.getText(file));
}

const isFunction = (value: ts.Expression): boolean =>
  ts.isArrowFunction(value) || ts.isFunctionExpression(value);
