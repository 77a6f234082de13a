import { strict as assert } from 'node:assert';
import { test } from 'node:test';
import fc from 'fast-check';
import { parseQuery } from '../../src/influxql/parser.ts';
import type { Edit } from '../../src/influxql/edit.ts';
import {
  type Clauses,
  databasesOf,
  effectOf,
  levelsOf,
  type Source,
  type Statement,
  type StatementType,
} from '../../src/influxql/statement.ts';
import { expansionOf, type LevelSchema, patternsOf } from '../../src/query/expansion.ts';
import { StatementFailed } from '../../src/query/failure.ts';
import { planOf, type ReadStep, type Rules, type Step } from '../../src/query/planner.ts';
import {
  countedText,
  formText,
  matchingText,
  measurementsText,
  schemaText,
  type Selection,
  seriesText,
  statementText,
  type Subject,
  unlimited,
} from '../../src/query/question.ts';
import { DEFAULT_MEASUREMENT, Keymap } from '../../src/routing/keymap.ts';
import { bypasses, corpus } from '../influxql/fixtures.ts';

// Whatever a client sends: what goes to a server is of a kind that may go there, and is about the own database and the
// measurements that were planned. The texts are judged as a server judges them, by parsing them anew.

const numRuns = Number(process.env['FUZZ_RUNS'] ?? 2_000);

/** The database on a server: no client's text holds this name. */
const STORED = 'stored "as" x';
const keymap = new Keymap({ cpu: ['a', 'b'], mem: ['b', 'c'], [DEFAULT_MEASUREMENT]: ['a', 'c'] });

function rulesFor(own: string, db: string, allowed: readonly StatementType[] = []): Rules {
  return {
    ...{ own, db, routes: keymap.routes, hasDefault: true, backends: ['a', 'b', 'c'] },
    routeOf: (name) => keymap.routeOf(name),
    allowed: new Set(allowed),
  };
}

const READS: ReadonlySet<string> = new Set(['read', 'meta-read']);

function only(text: string, params: unknown): Statement {
  const parsed = parseQuery(text, params);
  assert.ok(parsed.ok, `${text}: ${parsed.ok ? '' : parsed.error}`);
  const [statement, ...others] = parsed.statements;
  assert.ok(statement !== undefined && others.length === 0, text);
  return statement;
}

function assertFenced(text: string, params: unknown, type: StatementType): Statement {
  const statement = only(text, params);
  assert.equal(statement.type, type, text);
  assert.equal(statement.into, undefined, text);
  assert.equal(statement.everyDatabase, false, text);
  for (const { value } of databasesOf(statement)) assert.equal(value, STORED, text);
  return statement;
}

function namesIn(sources: readonly Source[]): string[] {
  return sources.map(({ name, regex }) => name ?? `/${regex ?? ''}/`);
}

/** Every text that could go to a server for this step. */
function assertStepFenced(q: string, params: unknown, step: Step): void {
  if (step.kind !== 'read' && step.kind !== 'everywhere') return;
  const { statement } = step;
  const subject = { text: q, statement };
  const whole = assertFenced(statementText(subject, STORED), params, statement.type);
  assert.deepEqual(namesIn(whole.sources), namesIn(statement.sources), q);
  if (step.kind === 'everywhere') {
    assert.ok(statement.type === 'delete' || statement.type === 'drop series', q);
    return;
  }
  assert.ok(READS.has(effectOf(statement.type)), q);
  const unlimitedText = statementText(subject, STORED, { edits: unlimited(statement) });
  assertFenced(unlimitedText, params, statement.type);
  if (step.merge === 'select') assertNarrowed(q, params, step);
  if (step.merge === 'name count') {
    const counted = countedText(subject, STORED);
    const { sources } = assertFenced(counted, params, 'show series cardinality');
    assert.deepEqual(namesIn(sources), namesIn(statement.sources), q);
  }
  assertFenced(seriesText(subject, STORED), params, 'show series');
  assertFenced(measurementsText(subject, STORED), params, 'show measurements');
}

/** About the measurements of one server: those that it owns, of those that were found. */
function assertNarrowed(q: string, params: unknown, { statement }: ReadStep): void {
  const subject = { text: q, statement };
  const patterns = statement.sources.filter(({ regex }) => regex !== undefined);
  const found = ['cpu', 'mem', 'found "it"', 'a.b\nc'];
  const matches = new Map(patterns.map((source) => [source, found]));
  for (const source of patterns) {
    const { sources } = assertFenced(
      matchingText(subject, source, STORED),
      params,
      'show measurements',
    );
    assert.deepEqual(namesIn(sources), namesIn([source]));
  }
  for (const route of keymap.routes) {
    const owns = (name: string): boolean => keymap.routeOf(name) === route;
    const selection: Selection = { owns, matches };
    const text = statementText(subject, STORED, { selection });
    const { sources, type } = assertFenced(text, params, statement.type);
    assert.equal(type, 'select');
    const expected = statement.sources.flatMap(({ name }) => (name === undefined ? found : [name]));
    const named = sources.filter(({ regex }) => regex === undefined).map(({ name }) => name);
    assert.deepEqual(named, expected.filter(owns), text);
    // What stands for nothing matches nothing.
    for (const { regex } of sources) assert.ok((regex ?? NOTHING) === NOTHING, text);
    assertFenced(formText(subject, STORED), params, 'explain');
    for (const level of levelsOf(statement)) {
      const schema = schemaText(subject, STORED, { level, wildcard: '*', selection, edits: [] });
      const { sources: asked } = assertFenced(schema, params, 'explain');
      for (const { name, regex } of asked)
        assert.ok(regex === NOTHING || named.includes(name ?? ''));
    }
    const edits = expansionIn(subject);
    const expanded = statementText(subject, STORED, { selection, edits });
    assert.deepEqual(namesIn(assertFenced(expanded, params, 'select').sources), namesIn(sources));
  }
}

/** With names that need quotes, or that would end a clause without them. */
function expansionIn(subject: Subject): readonly Edit[] {
  const fields = new Map([
    ['usage', 'float'],
    ['v', 'integer'],
    ['from "x" \\\n', 'string'],
  ]);
  const tags = new Set(['host', 'select', "'"]);
  const names = new Set([...fields.keys(), ...tags]);
  const schemas = levelsOf(subject.statement)
    .filter(({ measurements }) => measurements.length > 0)
    .map((level): [Clauses, LevelSchema] => {
      const matches = patternsOf(level).map(({ start, end }) => subject.text.slice(start, end));
      return [level, { fields, tags, matches: new Map(matches.map((text) => [text, names])) }];
    });
  try {
    return expansionOf(subject, new Map(schemas));
  } catch (error) {
    if (error instanceof StatementFailed) return [];
    throw error;
  }
}

const NOTHING = '[^\\x00-\\x{10FFFF}]';

function check(q: string, params: unknown, rules: Rules): 'refused' | 'run' {
  const parsed = parseQuery(q, params);
  if (!parsed.ok) return 'refused';
  const plan = planOf(parsed.statements, rules);
  if (plan.kind === 'refuse') return 'refused';
  assert.equal(plan.steps.length, parsed.statements.length, q);
  for (const step of plan.steps) assertStepFenced(q, params, step);
  return 'run';
}

test('each query that talks older proxies past their filters is refused, or does what it may', () => {
  for (const { q, oracle } of bypasses()) {
    const mayRun =
      oracle.ok &&
      !q.includes('\0') &&
      oracle.statements.every(({ class: kind, type, db, measurements, subInto = [] }) => {
        const named = [db, ...[...measurements, ...subInto].map((source) => source.db)];
        const isFenced = named.every((name) => name === '' || name === 'ok');
        return (
          isFenced && (['read', 'meta-read', 'delete'].includes(kind) || type === 'create_database')
        );
      });
    assert.equal(check(q, undefined, rulesFor('ok', 'ok')), mayRun ? 'run' : 'refused', q);
  }
});

test('what goes to servers for any text of the corpus is fenced', () => {
  let run = 0;
  for (const { q, params } of corpus()) {
    for (const [own, db] of [
      ['', 'db'],
      ['db', 'db'],
      ['', ''],
      ['telegraf', ''],
    ] as const) {
      if (check(q, params, rulesFor(own, db)) === 'run') run++;
    }
  }
  assert.ok(run > 500, `${run}`);
});

test('so is what goes to them for any mixture of texts', () => {
  const texts = [...corpus(), ...bypasses()].map(({ q }) => q);
  // prettier-ignore
  const pieces = fc.constantFrom(
    ';', ' ', '\n', '"', "'", '/', '*/', '/*', '--', '\\', ' INTO ', ' FROM ', ' ON ', '..', ',', '(', ')', '\0', '$', '::',
    'DROP DATABASE x', 'db', '"db"..', 'other..', '/.*/', 'SELECT * ', 'DELETE', 'SHOW ', ' WHERE ', '*', ' LIMIT 1', 'now()',
  );
  const cut = fc.tuple(fc.constantFrom(...texts), fc.nat(), fc.nat()).map(([text, from, to]) => {
    const [start, end] = [from % (text.length + 1), to % (text.length + 1)];
    return start < end ? text.slice(start, end) : text;
  });
  const mixed = fc.array(fc.oneof({ weight: 3, arbitrary: cut }, pieces), { maxLength: 5 });
  let run = 0;
  fc.assert(
    fc.property(mixed, (parts) => {
      if (check(parts.join(''), { p: { regex: 'x' } }, rulesFor('', 'db')) === 'run') run++;
    }),
    { numRuns },
  );
  assert.ok(run > numRuns / 100, `${run}`);
});

test('a forbidden statement in a batch is never run, whatever surrounds it', () => {
  const isForbidden = (type: StatementType): boolean =>
    !READS.has(effectOf(type)) && !['delete', 'drop series', 'create database'].includes(type);
  const forbidden = corpus().filter(({ q, params }) => {
    const parsed = parseQuery(q, params);
    return parsed.ok && parsed.statements.some(({ type }) => isForbidden(type));
  });
  assert.ok(forbidden.length > 50, `${forbidden.length}`);
  const harmless = fc.constantFrom(
    'SELECT v FROM cpu',
    'SHOW DATABASES',
    '/* x */',
    '-- y\n',
    ' ',
    '',
  );
  const batch = fc.tuple(fc.array(harmless), fc.constantFrom(...forbidden), fc.array(harmless));
  fc.assert(
    fc.property(batch, ([before, { q, params }, after]) => {
      const text = [...before, q, ...after].join(';');
      assert.equal(check(text, params, rulesFor('', 'db')), 'refused', text);
    }),
  );
});
