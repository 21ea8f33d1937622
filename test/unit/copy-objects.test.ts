/**
 * Indexes and constraints as data: when two are equal, how they are translated for another table, how definitions are
 * parsed.
 */
import { describe, expect, test } from 'vitest'
import { translateObject, type TranslationContext } from '../../src/engine/copy/objects/translate.ts'
import { planObjects, type ObjectPlans } from '../../src/engine/copy/objects/plan-objects.ts'
import type { PlannedCopy } from '../../src/engine/copy/plan/plan-copy.ts'
import { BuildLimit } from '../../src/engine/copy/objects/build-limit.ts'
import type { Column, TableSpec } from '../../src/model/copy/column-type.ts'
import type { TablePlan } from '../../src/model/copy/plan.ts'
import {
  signatureOf,
  objectOptions,
  type ForeignKey,
  type IndexObject,
  type SchemaObject,
} from '../../src/model/copy/schema-object.ts'
import { definitionCode, bracketElements, nameAt } from '../../src/stores/common/definition-text.ts'
import { shortened } from '../../src/stores/common/object-names.ts'

const index = (more: Partial<IndexObject> = {}): IndexObject => ({
  kind: 'index',
  name: 'i',
  own: '',
  columns: ['a', 'b'],
  unique: false,
  method: 'btree',
  parts: [{ column: 'a' }, { column: 'b', descending: true }],
  include: [],
  ...more,
})

const key = (more: Partial<ForeignKey> = {}): ForeignKey => ({
  kind: 'foreign key',
  name: 'f',
  own: '',
  columns: ['a'],
  from: ['a'],
  to: { table: { schema: 'public', name: 'parents' }, columns: ['id'] },
  onDelete: 'NO ACTION',
  onUpdate: 'NO ACTION',
  rest: '',
  ...more,
})

const column = (name: string): Column => ({ name, type: { kind: 'int', bits: 32 }, native: 'int', nullable: true })

function planOf(name: string, pairs: Readonly<Record<string, string>>, all = Object.keys(pairs)): TablePlan {
  const spec = (schema: string, columns: readonly string[]): TableSpec => ({
    table: { schema, name },
    identity: '',
    columns: columns.map(column),
    key: [columns[0] ?? ''],
    primary: true,
    rows: 0n,
    bytes: 0n,
  })
  return {
    source: spec('public', all),
    target: spec('there', Object.values(pairs)),
    create: true,
    columns: Object.entries(pairs).map(([from, to]) => ({
      from,
      to,
      as: column(from).type,
      source: column(from),
      target: column(to),
    })),
    onExisting: 'refuse',
    proof: 'canonical',
    rangeKey: [],
    sortsAlike: true,
    cut: 'key',
    chunkRows: 1,
    hash: '',
  }
}

const plan = planOf('t', { a: 'a', b: 'beta' }, ['a', 'b', 'left'])
const same = planOf('t', { a: 'a', b: 'b' })
const parents = planOf('parents', { id: 'number' })
const passage = (more: Partial<TranslationContext> = {}): TranslationContext => ({
  plan,
  sameWords: true,
  plans: new Map([
    ['public.t', plan],
    ['public.parents', parents],
  ]),
  elsewhere: ({ name }) => ({ schema: 'there', name }),
  from: 'postgresql',
  ...more,
})

describe('signatures', () => {
  test('do not depend on names, or on the order of included columns', () => {
    expect(signatureOf(index({ name: 'x', kind: 'unique', unique: true, include: ['c', 'd'] }))).toBe(
      signatureOf(index({ unique: true, include: ['d', 'c'] })),
    )
    expect(signatureOf(key({ name: 'x', unchecked: true }))).toBe(signatureOf(key()))
  })

  test('depend on all properties of an index', () => {
    const others: readonly Partial<IndexObject>[] = [
      { unique: true },
      { method: 'hash' },
      { nullsEqual: true },
      { parts: [{ column: 'a' }, { column: 'b' }] },
      { parts: [{ column: 'b', descending: true }, { column: 'a' }] },
      {
        parts: [
          { column: 'a', prefix: 3 },
          { column: 'b', descending: true },
        ],
      },
      {
        parts: [
          { column: 'a', special: 'ops' },
          { column: 'b', descending: true },
        ],
      },
      {
        parts: [
          { column: 'a', nulls: 'first' },
          { column: 'b', descending: true },
        ],
      },
      { include: ['c'] },
      { where: 'a > 5', own: '(a, b DESC) WHERE a > 5' },
    ]
    const all = [index(), ...others.map((more) => index(more))].map(signatureOf)
    expect(new Set(all).size).toBe(all.length)
    expect(signatureOf(key({ onDelete: 'CASCADE' }))).not.toBe(signatureOf(key()))
  })

  test('do not depend on casts and brackets that a server adds', () => {
    const check = (own: string): SchemaObject => ({ kind: 'check', name: 'c', own, columns: null })
    const one = signatureOf(check(`CHECK ((((name)::text <> 'no'::text) AND (n > (5)::numeric(10, 2))))`))
    expect(one).toBe(signatureOf(check(`CHECK (((name <> 'no') AND (n > 5)))`)))
    expect(one).not.toBe(signatureOf(check(`CHECK (((name <> 'yes') AND (n > 5)))`)))
    expect(signatureOf(check(`CHECK ((a = ANY ((ARRAY['x'::character varying])::text[])))`))).toBe(
      signatureOf(check(`CHECK ((a = ANY (ARRAY['x'])))`)),
    )
  })

  test('depend on brackets that decide the order of operators, and on blanks and brackets in texts', () => {
    const check = (own: string): string => signatureOf({ kind: 'check', name: 'c', own, columns: null })
    const byDefault = (own: string): string => signatureOf({ kind: 'default', name: 'c', own, columns: null })
    const different = [
      'CHECK (((a > 0) OR ((b > 0) AND (c > 0))))',
      'CHECK ((((a > 0) OR (b > 0)) AND (c > 0)))',
      'CHECK ((a * (b + 1)) > 0)',
      'CHECK (((a * b) + 1) > 0)',
      "CHECK ((a <> 'x y'))",
      "CHECK ((a <> 'xy'))",
      "CHECK ((a <> '(xy)'))",
      "CHECK ((a <> '::text'))",
      "CHECK ((a <> ''))",
    ].map(check)
    expect(new Set(different).size).toBe(different.length)
    const defaults = ["'a b'", "'ab'", "'(ab)'", '(1 + 2) * 3', '1 + 2 * 3', '-(1 + 2)', '-1 + 2'].map(byDefault)
    expect(new Set(defaults).size).toBe(defaults.length)
    expect(byDefault("('a b'::text)")).toBe(byDefault("'a b'"))
    expect(byDefault('(1 + 1)')).toBe(byDefault('1+1'))
    expect(check('CHECK ((lower((a)::text) = (lower(b))::text))')).toBe(check('CHECK (lower(a) = lower(b))'))
  })

  test('an index needs --with indexes, a unique or foreign key needs --with constraints', () => {
    expect([index(), index({ kind: 'unique' }), key()].map(objectOptions)).toEqual([
      'indexes',
      'constraints',
      'constraints',
    ])
  })
})

describe('into another table', () => {
  test('plain columns get their new names', () => {
    expect(translateObject(index({ own: 'USING btree (a, b DESC)' }), passage())).toEqual(
      index({ columns: ['a', 'beta'], parts: [{ column: 'a' }, { column: 'beta', descending: true }] }),
    )
  })

  test('an object whose names do not change is copied unchanged', () => {
    const own = index({ own: 'USING btree (a, b DESC) WITH (fillfactor = 70)' })
    expect(translateObject(own, passage({ plan: same }))).toBe(own)
  })

  test.each<readonly [string, SchemaObject, Partial<TranslationContext>, RegExp]>([
    ['a column that is not copied', index({ columns: ['a', 'left'] }), {}, /^the column left is not copied$/],
    [
      'an expression over a renamed column',
      index({ parts: [{ column: null }], own: '(lower(b))' }),
      {},
      /has another name/,
    ],
    [
      'an expression of another system',
      index({ parts: [{ column: null }], columns: ['a'] }),
      { sameWords: false },
      /not translated/,
    ],
    [
      'an expression of unknown columns',
      index({ parts: [{ column: null }], own: '(x)', columns: null }),
      {},
      /may use a column/,
    ],
    ['a method', index({ method: 'gin' }), { sameWords: false }, /^only postgresql has gin/],
    ['an operator class', index({ parts: [{ column: 'a', special: 'ops' }] }), { sameWords: false }, /^it uses ops/],
    ['equal NULLs', index({ nullsEqual: true }), { sameWords: false }, /treats NULLs as equal$/],
    [
      'unique beginnings',
      index({ unique: true, parts: [{ column: 'a', prefix: 3 }] }),
      { sameWords: false },
      /beginnings of a/,
    ],
    [
      'a check of another system',
      { kind: 'check', name: 'c', own: 'CHECK (a)', columns: ['a'] },
      { sameWords: false },
      /not translated/,
    ],
    ['a sequence', { kind: 'default', name: 'a', own: `nextval('s')`, columns: ['a'] }, {}, /sequence of the source/],
    [
      'a table elsewhere',
      key({ to: { table: { schema: 'public', name: 'x' }, columns: ['id'] } }),
      {},
      /is not copied/,
    ],
    [
      'what only one system says of a key',
      key({ rest: 'MATCH FULL' }),
      { sameWords: false },
      /^only postgresql supports MATCH FULL$/,
    ],
  ])('%s is left out', (_, object, more, reason) => {
    const found = translateObject(object, passage(more))
    expect('refused' in found ? found.refused : found).toMatch(reason)
  })

  test('a foreign key references the table of the target, and its key columns if it names none', () => {
    const there = { to: { table: { schema: 'there', name: 'parents' }, columns: ['number'] } }
    expect(translateObject(key({ from: ['b'], columns: ['b'] }), passage())).toEqual(
      key({ from: ['beta'], columns: ['beta'], ...there }),
    )
    const bare = key({ to: { table: { schema: 'public', name: 'PARENTS' }, columns: [] } })
    expect(translateObject(bare, passage())).toEqual(key(there))
  })
})

test('objects of all tables are listed once on each side, and requested ones are planned apart from others', async () => {
  const equal = [index({ name: 'a_idx', unique: true }), { ...index({ name: 'a_key', unique: true }), kind: 'unique' }]
  const calls: string[] = []
  const store = (name: string, objects: readonly unknown[]): unknown => ({
    identity: name,
    can: {},
    objects: () => ({
      words: 'postgresql',
      list: async (tables: readonly unknown[]) => (calls.push(`${name} ${tables.length}`), tables.map(() => objects)),
      scope: () => 'schema',
      usedNames: async () => (calls.push('names'), new Set()),
      adapted: (object: unknown) => object,
    }),
  })
  const tables = [plan, parents].map((one) => ({ source: one.source, plan: { ...one, create: false } }))
  const copy = { from: store('from', equal), to: store('to', []), tables, leftOut: [] } as unknown as PlannedCopy
  const { requested, others } = await planObjects(copy, ['indexes'], new AbortController().signal)
  expect(calls.filter((call) => call !== 'names')).toEqual(['from 2', 'to 2'])
  const named = (plans: ObjectPlans): readonly string[] =>
    [...plans.values()].flat().map(({ name, status }) => `${name} ${status}`)
  expect(named(requested)).toEqual(['a_idx build', 'a_idx left'])
  // The equal object that is not requested is not created, so it does not count as there.
  expect(named(others)).toEqual(['a_key build', 'a_key left'])
  expect((await planObjects(copy, [], new AbortController().signal)).requested.size).toBe(0)
})

describe('definitions', () => {
  test('are split at top-level commas only', () => {
    const sql = `CREATE TABLE "a(,""" ("x, (y" int DEFAULT 'it''s (', PRIMARY KEY (a, b), /* , ( */ CHECK (f(1, 2) > 0)) WITH (c, d)`
    expect(bracketElements(sql)).toEqual([
      `"x, (y" int DEFAULT 'it''s ('`,
      'PRIMARY KEY (a, b)',
      '/* , ( */ CHECK (f(1, 2) > 0)',
    ])
    expect(bracketElements(`t (a 'x\\', (y', b)`, 'backslash')).toEqual([`a 'x\\', (y'`, 'b'])
    expect(bracketElements('t ([a, (b], c)', 'brackets')).toEqual(['[a, (b]', 'c'])
  })

  test('begin with names of every spelling', () => {
    expect(nameAt('"a ""b" rest')).toEqual({ name: 'a "b', rest: ' rest' })
    expect(nameAt(' ærlig(x)')).toEqual({ name: 'ærlig', rest: '(x)' })
    expect(nameAt('[a "b] ON x', 'brackets')).toEqual({ name: 'a "b', rest: ' ON x' })
    expect(nameAt('`a``b`.c')).toEqual({ name: 'a`b', rest: '.c' })
    expect(nameAt('(x)')).toBeNull()
  })

  test('are code without quoted texts and comments', () => {
    expect(definitionCode(`a 'CHECK (' "CHECK (" -- CHECK (\n b`)).not.toContain('CHECK')
  })
})

test('names are shortened between characters', () => {
  expect(shortened('🚰'.repeat(20), 63)).toBe('🚰'.repeat(15))
  expect(shortened('short', 63)).toBe('short')
})

test('no more builds run at the same time than the limit', async () => {
  const slots = new BuildLimit(2)
  let now = 0
  let most = 0
  const body = async (fails: boolean): Promise<void> => {
    most = Math.max(most, ++now)
    await new Promise((wake) => setImmediate(wake))
    now--
    if (fails) throw new Error('no')
  }
  const done = await Promise.allSettled(Array.from({ length: 7 }, (_, i) => slots.take(() => body(i === 2))))
  expect(done.map(({ status }) => status).filter((one) => one === 'rejected')).toHaveLength(1)
  expect([most, now]).toEqual([2, 0])
})
