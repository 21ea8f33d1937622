import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  answerDigest,
  drain,
  answerPage,
  type PagedAnswer,
  type AnswerRow,
} from '../../src/engine/lake/compare/answer.ts'
import { chooseCondition } from '../../src/engine/lake/compare/choose-condition.ts'
import { contradiction } from '../../src/engine/lake/compare/proof.ts'
import { plannedQuestions, type ComparePlan } from '../../src/engine/lake/compare/plan.ts'
import { prove, type AskAgain } from '../../src/engine/lake/compare/proof.ts'
import { isQuestionId, QUESTIONS } from '../../src/engine/lake/compare/questions.ts'
import {
  comparedFileRow,
  parsed,
  parsePartitionValues,
  partitionValuesText,
  stateRow,
} from '../../src/engine/lake/compare/rows.ts'
import { median, p95, verdict } from '../../src/engine/lake/compare/timing.ts'
import { compilePruning } from '../../src/delta/pruning.ts'
import { parseSchema } from '../../src/delta/schema.ts'
import { parsePredicate } from '../../src/model/lake/predicate.ts'

/** An answer of these rows; a text becomes a row that is named by it. */
const saying = (rows: readonly (string | AnswerRow)[]): AskAgain => {
  async function* answer(): PagedAnswer {
    yield answerPage(rows, (row) => (typeof row === 'string' ? { about: row, fields: {} } : row))
  }
  return (body) => body(answer())
}

const differenceOf = async (
  files: readonly (string | AnswerRow)[],
  sql: readonly (string | AnswerRow)[],
): Promise<string | null> => (await prove(saying(files), saying(sql))).difference

describe('timing', () => {
  test('the median of an odd and of an even number of runs', () => {
    expect(median([9, 1, 5])).toBe(5)
    expect(median([9, 1, 5, 7])).toBe(6)
    expect(median([3])).toBe(3)
  })

  test('p95 is the slowest of fewer than 20 runs and the 19th of 20', () => {
    expect(p95([1, 2, 3, 4, 5, 6, 99])).toBe(99)
    expect(p95(Array.from({ length: 20 }, (_, i) => i + 1))).toBe(19)
  })

  test('a difference within 5 % counts as even, on either side', () => {
    expect(verdict(100, 105)).toEqual({ faster: 'even', factor: 1.05 })
    expect(verdict(105, 100)).toMatchObject({ faster: 'even' })
    expect(verdict(100, 105.1)).toEqual({ faster: 'files', factor: 1.05 })
    expect(verdict(300, 100)).toEqual({ faster: 'sql', factor: 3 })
  })

  test('a clock that did not advance gives a finite factor', () => {
    expect(Number.isFinite(verdict(0, 5).factor)).toBe(true)
    expect(verdict(0, 0)).toEqual({ faster: 'even', factor: 1 })
  })
})

describe('the proof of two answers', () => {
  test('order does not matter, everything else does', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.string(), { maxLength: 30 }), fc.nat(), async (rows, seed) => {
        const turned =
          rows.length === 0 ? [] : [...rows.slice(seed % rows.length), ...rows.slice(0, seed % rows.length)]
        expect(await differenceOf(rows, turned)).toBeNull()
        expect(await differenceOf(rows, [...rows, 'more'])).toBe(
          `files give ${rows.length} rows, SQL ${rows.length + 1}; only SQL has more`,
        )
      }),
    )
  })

  test('rows that occur twice are not the same as rows that occur once', async () => {
    expect(await differenceOf(['a', 'a', 'b'], ['a', 'b', 'b'])).toBe('only the files have a; only SQL has b')
    expect(await differenceOf(['a', 'a'], [])).toBe(
      'files give 2 rows, SQL 0; only the files have a; only the files have a',
    )
  })

  test('a difference names the field, for at most three rows', async () => {
    const row = (about: string, size: number, more = ''): AnswerRow => ({ about, fields: { dvId: null, size, more } })
    expect(await differenceOf([row('x', 1)], [row('x', 2)])).toBe('x: size is 1 in the files, 2 in SQL')
    const prefix = 'p'.repeat(100)
    expect(await differenceOf([row('x', 1, `${prefix}1`)], [row('x', 1, `${prefix}2`)])).toMatch(
      /^x: more is …p{30}1" in the files, …p{30}2" in SQL$/,
    )
    const many = (size: number): AnswerRow[] => Array.from({ length: 5 }, (_, i) => row(`f${i}`, size))
    expect(await differenceOf(many(1), many(2))).toMatch(/^(?:f\d: size is 1 in the files, 2 in SQL; ){3}and 2 more$/)
  })

  test('one different row among very many is found and named', async () => {
    const rows = (odd: number): AnswerRow[] =>
      Array.from({ length: 25_000 }, (_, i) => ({ about: `row ${i}`, fields: { size: i === 777 ? odd : i } }))
    expect(await differenceOf(rows(777), rows(777))).toBeNull()
    expect(await differenceOf(rows(777), rows(-1))).toBe('row 777: size is 777 in the files, -1 in SQL')
  })

  test('loose fields may be missing in the files, but not in SQL, and present values must be equal', async () => {
    const row = (stats: string | null): AnswerRow => ({ about: 'f', fields: {}, loose: { stats } })
    const full =
      '{"numRecords":3,"minValues":{"id":1,"at":"2024-01-01T00:00:00.000Z"},"maxValues":{"id":9007199254740993}}'
    expect(await differenceOf([row(null)], [row(full)])).toBeNull()
    expect(await differenceOf([row('{"numRecords":3}')], [row(full)])).toBeNull()
    const rewritten =
      '{"maxValues":{"id":9007199254740993},"minValues":{"at":"2024-01-01 00:00:00Z","id":1.0},"numRecords":3}'
    expect(await differenceOf([row(rewritten)], [row(full)])).toBeNull()
    expect(await differenceOf([row(rewritten)], [row(full.replace('993', '992'))])).toBe(
      'f: stats.maxValues.id is 9007199254740993 in the files, 9007199254740992 in SQL',
    )
    expect(await differenceOf([row(full)], [row(full.replace(':3,', ':4,'))])).toBe(
      'f: stats.numRecords is 3 in the files, 4 in SQL',
    )
    // SQL may not lack what the log has.
    expect(await differenceOf([row(full)], [row(null)])).toMatch(/^f: stats is "?\{.* in the files, missing in SQL$/)
    expect(await differenceOf([row(full)], [row('{"numRecords":3}')])).toMatch(
      /^f: stats\.minValues\.id is 1 in the files, missing in SQL$/,
    )
    expect(await differenceOf([row(full)], [row(`${full}}`)])).toMatch(/^f: stats is .* in the files, .* in SQL$/)
  })
})

describe('JSON texts are compared by value', () => {
  test.each([
    ['{"a":[1,{"b":null},"x"]}', '{"a":[1.0,{"b":2},"\\u0078"]}'],
    ['{"a":"2024-01-01T02:00:00.000+02:00"}', '{"a":"2024-01-01 00:00:00"}'],
    ['{"a":0.1}', '{"a":0.10000000000000001}'],
    ['{"a":12345678901234567.89}', '{"a":1.2345678901234568e16}'],
    ['{"a":{}}', '{"a":[]}'],
  ])('%s equals %s', (a, b) => {
    expect(contradiction(a, b)).toBeNull()
    expect(contradiction(b, a)).toBeNull()
  })

  test.each([
    ['{"a":[1,2]}', '{"a":[1,3]}', '.a[1]'],
    ['{"a":{"b:":"}"},"c":1}', '{"a":{"b:":"{"},"c":1}', '.a.b:'],
    ['{"a":"1"}', '{"a":1}', '.a'],
    ['{"a":true}', '{"a":false}', '.a'],
    ['{"a":123456789012345678.01}', '{"a":123456789012345678.02}', '.a'],
    ['{"a":9007199254740993}', '{"a":9007199254740992}', '.a'],
    ['{"a":"2024-01-01"}', '{"a":"2024-01-02"}', '.a'],
  ])('%s and %s differ at %s', (a, b, at) => {
    expect(contradiction(a, b)?.at).toBe(at)
  })
})

describe('answers', () => {
  async function* answer(texts: string[], made: string[]): PagedAnswer {
    yield answerPage(texts, (text) => {
      made.push(text)
      return { about: text, fields: {} }
    })
  }

  test('timing builds no comparison rows, the proof builds all', async () => {
    const made: string[] = []
    expect(await drain(answer(['a', 'b'], made))).toBe(2)
    expect(made).toEqual([])
    expect((await answerDigest(answer(['a', 'b'], made))).rows).toBe(2)
    expect(made).toEqual(['a', 'b'])
  })
})

describe('rows', () => {
  test('partition values are equal in any order of keys, and an empty value is null', () => {
    expect(partitionValuesText({ b: '', a: 'x' })).toBe(partitionValuesText({ a: 'x', b: null }))
    expect(partitionValuesText({ a: 'x' })).not.toBe(partitionValuesText({ a: 'y' }))
    expect(partitionValuesText(null)).toBe('{}')
    expect(parsePartitionValues(null)).toEqual({})
    expect(parsePartitionValues('{"a":null}')).toEqual({ a: null })
  })

  test('invalid JSON differs from a value, and throws no error', () => {
    expect(parsed('{"a":')).toBe('{"a":')
    expect(partitionValuesText(parsePartitionValues('{"a":'))).not.toBe('{}')
    expect(partitionValuesText(parsePartitionValues('7'))).not.toBe('{}')
  })

  test('tags of null count as absent, and so does an offset of null in a deletion vector', () => {
    const file = {
      path: 'f',
      dvId: null,
      size: 1,
      modificationTime: 1,
      partitionValues: {},
      deletionVector: null,
      tags: null,
      baseRowId: null,
      defaultRowCommitVersion: null,
      clusteringProvider: null,
      stats: null,
      rows: null,
    }
    const vector = { storageType: 'i', pathOrInlineDv: 'x', sizeInBytes: 1, cardinality: 1 }
    expect(comparedFileRow({ ...file, tags: { a: null } })).toEqual(comparedFileRow(file))
    expect(comparedFileRow({ ...file, tags: { b: '1', a: '2' } })).toEqual(
      comparedFileRow({ ...file, tags: { a: '2', b: '1' } }),
    )
    expect(comparedFileRow({ ...file, tags: { a: '' } })).not.toEqual(comparedFileRow(file))
    expect(comparedFileRow({ ...file, deletionVector: vector })).toEqual(
      comparedFileRow({ ...file, deletionVector: { ...vector, offset: null } }),
    )
    expect(comparedFileRow({ ...file, deletionVector: vector })).not.toEqual(
      comparedFileRow({ ...file, deletionVector: { ...vector, offset: 0 } }),
    )
  })

  test('a key named __proto__ is a normal key', () => {
    const values = parsePartitionValues('{"__proto__":"x"}')
    expect(partitionValuesText(values)).toBe('{"__proto__":"x"}')
  })

  test('a schema is compared by value, whatever its spacing', () => {
    const metadata = { id: 'm', schemaString: '{"type":"struct","fields":[]}' }
    const protocol = { minReaderVersion: 1, minWriterVersion: 2 }
    const spaced = { ...metadata, schemaString: '{ "fields": [], "type": "struct" }' }
    expect(stateRow(3, protocol, metadata)).toEqual(stateRow(3, protocol, spaced))
    expect(stateRow(3, protocol, metadata)).not.toEqual(stateRow(4, protocol, metadata))
    expect(stateRow(3, protocol, metadata)).not.toEqual(stateRow(3, protocol, { ...metadata, description: 'd' }))
  })
})

describe('questions', () => {
  const plan: ComparePlan = {
    tableId: 't',
    location: 'file:///t',
    version: 1841,
    logVersion: 1841,
    catalogVersion: 1841,
    from: 0,
    partition: { year: '2024', region: null },
    predicate: 'id = 3',
    oldVersion: 920,
    origin: { path: 'a.parquet', dvId: null },
    commits: 20,
    changesFrom: 1700,
  }

  test('every title fits its column', () => {
    expect(QUESTIONS.map(({ id }) => id)).toHaveLength(9)
    const all = new Set(QUESTIONS.map(({ id }) => id))
    const { asked } = plannedQuestions(plan, all, new Map())
    for (const { asked: title } of asked) expect(title.length).toBeLessThanOrEqual(25)
    expect(asked.map(({ asked: title }) => title)).toContain('changes v1700 to v1841')
    expect(asked.map(({ asked: title }) => title)).toContain('snapshot at v920')
    expect(asked.find(({ id }) => id === 'files-of-partition')?.detail).toBe(
      'year=2024/region=__HIVE_DEFAULT_PARTITION__',
    )
  })

  test('a question that cannot be asked is skipped with a reason', () => {
    const { asked, skipped } = plannedQuestions(
      plan,
      new Set(['counts', 'min-max']),
      new Map([['min-max', 'no stats']]),
    )
    expect(asked.map(({ id }) => id)).toEqual(['counts'])
    expect(skipped).toEqual([{ id: 'min-max', title: 'files left by min/max', reason: 'no stats' }])
  })

  test('question ids are checked', () => {
    expect(isQuestionId('min-max')).toBe(true)
    expect(isQuestionId('constructor')).toBe(false)
  })
})

describe('the condition of min/max', () => {
  const field = (name: string, type: unknown): object => ({ name, type, nullable: true, metadata: {} })
  const types = (...fields: object[]): { schema: ReturnType<typeof parseSchema>; partitionColumns: string[] } => ({
    schema: parseSchema(JSON.stringify({ type: 'struct', fields })),
    partitionColumns: ['day'],
  })
  const stats = (values: Record<string, [unknown, unknown]>): string =>
    JSON.stringify({
      numRecords: 10,
      minValues: Object.fromEntries(Object.entries(values).map(([name, [min]]) => [name, min])),
      maxValues: Object.fromEntries(Object.entries(values).map(([name, [, max]]) => [name, max])),
    })

  test('is on the column with the narrowest ranges, and keeps at least one file', () => {
    const all = types(field('day', 'date'), field('blurred', 'long'), field('sharp', 'long'))
    const sample = Array.from({ length: 50 }, (_, i) => stats({ blurred: [0, 1000], sharp: [i * 10, i * 10 + 9] }))
    const text = chooseCondition(sample, all)
    expect(text).toMatch(/^sharp = \d+$/)
    const pruning = compilePruning(parsePredicate(text ?? ''), all.schema, all.partitionColumns)
    expect(sample.filter((one) => pruning.byStats(one))).toHaveLength(1)
  })

  test('compiles for text, dates, timestamps and decimals', () => {
    for (const [type, min] of [
      ['string', "it's 100 %"],
      ['date', '2024-02-29'],
      ['timestamp', '2024-02-29T10:11:12.345Z'],
      ['timestamp_ntz', '2024-02-29T10:11:12.345'],
      ['decimal(20,4)', 12.5],
      ['double', 1e-7],
      ['short', -3],
    ] as const) {
      const all = types(field('odd name`', type))
      const text = chooseCondition([stats({ 'odd name`': [min, min] })], all)
      expect(text, type).not.toBeNull()
      const pruning = compilePruning(parsePredicate(text ?? ''), all.schema, [])
      expect(
        pruning.dataColumns.map(({ path }) => path),
        type,
      ).toEqual([['odd name`']])
    }
  })

  test('is missing without usable stats, and for a partition column', () => {
    expect(chooseCondition([], types(field('id', 'long')))).toBeNull()
    expect(chooseCondition(['{"numRecords":3}', 'broken'], types(field('id', 'long')))).toBeNull()
    expect(chooseCondition([stats({ day: ['2024-01-01', '2024-01-01'] })], types(field('day', 'date')))).toBeNull()
    expect(chooseCondition([stats({ flag: [false, true] })], types(field('flag', 'boolean')))).toBeNull()
    expect(chooseCondition([stats({ x: ['NaN', 'NaN'] })], types(field('x', 'double')))).toBeNull()
  })
})
