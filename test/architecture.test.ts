import { strict as assert } from 'node:assert';
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import ts from 'typescript';

const ROOT = path.resolve(import.meta.dirname, '../..');

interface Layer {
  /** Other folders of src that it may import. */
  readonly folders: readonly string[];
  /** What it may import from outside, besides Node's own modules without a guard below. */
  readonly packages: readonly string[];
}

const BELOW_HTTP = [
  ...['core', 'config', 'metrics', 'lineprotocol', 'influxql', 'routing', 'spill'],
  ...['backend', 'write', 'query'],
];

/** Folder of src, or file directly in it -> what it may import besides itself. Imports go down only. */
const LAYERS: Readonly<Record<string, Layer>> = {
  'cli.ts': {
    folders: [...BELOW_HTTP, 'commands', 'daemon.ts'],
    packages: ['commander', 'node:fs'],
  },
  'daemon.ts': { folders: [...BELOW_HTTP, 'http', 'daemon-backend.ts'], packages: [] },
  'daemon-backend.ts': { folders: BELOW_HTTP, packages: [] },
  // Handlers turn a request into the words of the parts: a statement, a precision.
  http: {
    folders: ['core', 'metrics', 'lineprotocol', 'influxql', 'write', 'query'],
    packages: [],
  },
  // What operators do beside a running proxy, or without one.
  commands: { folders: ['core', 'config', 'spill', 'backend', 'write'], packages: [] },
  write: {
    folders: ['core', 'metrics', 'lineprotocol', 'routing', 'spill', 'backend'],
    packages: [],
  },
  query: { folders: ['core', 'influxql', 'routing', 'backend'], packages: [] },
  backend: { folders: ['core'], packages: ['undici'] },
  config: { folders: ['core'], packages: ['zod', 'node:fs'] },
  metrics: { folders: [], packages: [] },
  lineprotocol: { folders: [], packages: ['influx-line-protocol-parser'] },
  influxql: { folders: ['core'], packages: [] },
  routing: { folders: ['core'], packages: [] },
  spill: { folders: ['core'], packages: ['node:fs'] },
  core: { folders: [], packages: [] },
};

/** Files that may import what the rest of their folder may not. */
const EXCEPTIONS: Readonly<Record<string, readonly string[]>> = {
  'core/log.ts': ['pino'],
  // Its own code, in WebAssembly.
  'lineprotocol/plain-lines.ts': ['node:fs'],
};

/** Node's modules that only those who name them above may import. */
const GUARDED = ['node:fs', 'node:child_process', 'node:cluster'];

const MAX_CODE_LINES = 300;

interface SourceFile {
  /** Relative to its root, with slashes. */
  readonly name: string;
  readonly text: string;
  /** Module specifiers as written: static, dynamic and type-only ones. */
  readonly imports: readonly string[];
}

function sourceFiles(folder: string): SourceFile[] {
  const root = path.join(ROOT, folder);
  return readdirSync(root, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .sort()
    .map((name) => {
      const text = readFileSync(path.join(root, name), 'utf8');
      const imports = ts.preProcessFile(text, true, true).importedFiles;
      return {
        name: name.replaceAll(path.sep, '/'),
        text,
        imports: imports.map((file) => file.fileName),
      };
    });
}

const isRelative = (specifier: string): boolean => specifier.startsWith('.');

/** `core/time.ts` for the import of `../core/time.ts` by `spill/spill.ts`. */
const targetOf = (file: SourceFile, specifier: string): string =>
  path.posix.join(path.posix.dirname(file.name), specifier);

/** The row of LAYERS that a file belongs to: its top folder, or itself. */
const layerOf = (name: string): string => name.split('/')[0] ?? name;

/** `node:fs` for `node:fs/promises`, `zod` for `zod/mini`. */
function packageOf(specifier: string): string {
  const parts = specifier.split('/');
  return parts.slice(0, specifier.startsWith('@') ? 2 : 1).join('/');
}

const src = sourceFiles('src');

test('every part of src has its place in the layers', () => {
  const unknown = src.filter((file) => LAYERS[layerOf(file.name)] === undefined);
  assert.deepEqual(
    unknown.map((file) => file.name),
    [],
  );
});

test('imports go down the layers only', () => {
  const wrong = src.flatMap((file) => {
    const layer = layerOf(file.name);
    const allowed = LAYERS[layer]?.folders ?? [];
    return file.imports
      .filter(isRelative)
      .map((specifier) => targetOf(file, specifier))
      .filter((target) => layerOf(target) !== layer && !allowed.includes(layerOf(target)))
      .map((target) => `${file.name} -> ${target}`);
  });
  assert.deepEqual(wrong, []);
});

test('each layer imports only the packages that are its own', () => {
  const wrong = src.flatMap((file) => {
    const own = LAYERS[layerOf(file.name)]?.packages ?? [];
    const allowed = [...own, ...(EXCEPTIONS[file.name] ?? [])];
    return file.imports
      .filter((specifier) => !isRelative(specifier))
      .map(packageOf)
      .filter((name) => (name.startsWith('node:') ? GUARDED.includes(name) : true))
      .filter((name) => !allowed.includes(name))
      .map((name) => `${file.name} -> ${name}`);
  });
  assert.deepEqual(wrong, []);
});

test('no file imports itself through others', () => {
  const graph = new Map(
    src.map((file) => [
      file.name,
      file.imports.filter(isRelative).map((specifier) => targetOf(file, specifier)),
    ]),
  );
  assert.deepEqual(cyclesOf(graph), []);
});

test(`no file has more than ${MAX_CODE_LINES} lines of code`, () => {
  const long = [...src, ...sourceFiles('test')]
    .map((file) => ({ name: file.name, lines: codeLines(file) }))
    .filter(({ lines }) => lines > MAX_CODE_LINES)
    .map(({ name, lines }) => `${name}: ${lines}`);
  assert.deepEqual(long, []);
});

/** Each cycle once, as the path that closes it. */
function cyclesOf(graph: ReadonlyMap<string, readonly string[]>): string[] {
  const cycles: string[] = [];
  const done = new Set<string>();
  const visit = (name: string, trail: readonly string[]): void => {
    const start = trail.indexOf(name);
    if (start !== -1) cycles.push([...trail.slice(start), name].join(' -> '));
    if (start !== -1 || done.has(name)) return;
    for (const target of graph.get(name) ?? []) visit(target, [...trail, name]);
    done.add(name);
  };
  for (const name of graph.keys()) visit(name, []);
  return cycles;
}

/** Lines that hold a piece of code: not the blank ones, not those of comments alone. */
function codeLines(file: SourceFile): number {
  const tree = ts.createSourceFile(file.name, file.text, ts.ScriptTarget.ES2023, true);
  const lines = new Set<number>();
  const visit = (node: ts.Node): void => {
    if (ts.isJSDoc(node) || node.kind === ts.SyntaxKind.EndOfFileToken) return;
    const children = node.getChildren(tree);
    children.forEach(visit);
    if (children.length > 0) return;
    const first = tree.getLineAndCharacterOfPosition(node.getStart(tree)).line;
    const last = tree.getLineAndCharacterOfPosition(node.getEnd()).line;
    // An empty list of nodes has no width, and no line of its own.
    if (node.getEnd() > node.getStart(tree)) for (let at = first; at <= last; at++) lines.add(at);
  };
  visit(tree);
  return lines.size;
}

test('the checks above see what they look for', () => {
  const lines = '/** A\n * B */\nconst a = `\n\n`; // c\n\n// d\nf(/"/, [\n]);\n';
  assert.equal(codeLines({ name: 'x.ts', text: lines, imports: [] }), 5);
  assert.deepEqual(
    cyclesOf(
      new Map([
        ['a', ['b']],
        ['b', ['c', 'd']],
        ['c', ['a']],
        ['d', []],
      ]),
    ),
    ['a -> b -> c -> a'],
  );
  assert.equal(packageOf('node:fs/promises'), 'node:fs');
  assert.equal(packageOf('@types/node/x'), '@types/node');
});
