import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { drain, pageOf, prove, type Answer } from '../../src/engine/compare/answer.ts'
import { chooseCondition } from '../../src/engine/compare/choose-condition.ts'
import { AnswerDigest, differenceOf } from '../../src/engine/compare/digest.ts'
import { plannedQuestions, type ComparePlan } from '../../src/engine/compare/plan.ts'
import { isQuestionId, QUESTIONS } from '../../src/engine/compare/questions.ts'
import { parsePartitionValues, partitionText, stateText } from '../../src/engine/compare/rows.ts'
import { median, p95, verdict } from '../../src/engine/compare/timing.ts'
import { compilePruning } from '../../src/delta/pruning.ts'
import { parseSchema } from '../../src/delta/schema.ts'
import { parsePredicate } from '../../src/model/predicate.ts'

const digestOf = (rows: readonly string[]): AnswerDigest => {
  const digest = new AnswerDigest()
  for (const row of rows) digest.add(row)
  return digest
}

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

  test('within 5 % nobody wins, on either side', () => {
    expect(verdict(100, 105)).toEqual({ faster: 'even', factor: 1.05 })
    expect(verdict(105, 100)).toMatchObject({ faster: 'even' })
    expect(verdict(100, 105.1)).toEqual({ faster: 'files', factor: 1.05 })
    expect(verdict(300, 100)).toEqual({ faster: 'sql', factor: 3 })
  })

  test('a clock that has not moved gives a finite factor', () => {
    expect(Number.isFinite(verdict(0, 5).factor)).toBe(true)
    expect(verdict(0, 0)).toEqual({ faster: 'even', factor: 1 })
  })
})

describe('digest of an answer', () => {
  test('order does not matter, everything else does', () => {
    fc.assert(
      fc.property(fc.array(fc.string(), { maxLength: 30 }), fc.nat(), (rows, seed) => {
        const turned =
          rows.length === 0 ? [] : [...rows.slice(seed % rows.length), ...rows.slice(0, seed % rows.length)]
        expect(differenceOf(digestOf(rows), digestOf(turned))).toBeNull()
        expect(differenceOf(digestOf(rows), digestOf([...rows, 'more']))).not.toBeNull()
      }),
    )
  })

  test('rows that occur twice are not the same as rows that occur once', () => {
    expect(differenceOf(digestOf(['a', 'a', 'b']), digestOf(['a', 'b', 'b']))).toContain('files')
    expect(differenceOf(digestOf(['a', 'a']), digestOf([]))).toContain('files give 2 rows, SQL 0')
  })

  test('small answers name what differs', () => {
    expect(differenceOf(digestOf(['x', 'y']), digestOf(['x']))).toBe('files give 2 rows, SQL 1; only the files have y')
    expect(differenceOf(digestOf(['x']), digestOf(['x', 'z']))).toBe('files give 1 rows, SQL 2; only SQL has z')
    const prefix = 'p'.repeat(100)
    const text = differenceOf(digestOf([`${prefix}1`]), digestOf([`${prefix}2`])) ?? ''
    expect(text).toMatch(/^files …p{30}1, SQL …p{30}2$/)
  })

  test('large answers are held in constant memory and still told apart', () => {
    const [a, b] = [new AnswerDigest(), new AnswerDigest()]
    for (let i = 0; i < 25_000; i++) {
      a.add(`row ${i}`)
      b.add(`row ${i === 77 ? -1 : i}`)
    }
    expect(a.kept).toBeNull()
    expect(differenceOf(a, b)).toBe('25000 rows on both sides, but not the same')
  })
})

describe('answers', () => {
  async function* answer(texts: string[], made: string[]): Answer {
    yield pageOf(texts, (text) => {
      made.push(text)
      return text
    })
  }

  test('what is timed makes no text, what proves makes all', async () => {
    const made: string[] = []
    expect(await drain(answer(['a', 'b'], made))).toBe(2)
    expect(made).toEqual([])
    expect((await prove(answer(['a', 'b'], made))).rows).toBe(2)
    expect(made).toEqual(['a', 'b'])
  })
})

describe('rows', () => {
  test('partition values: no order of keys, and an empty value is null', () => {
    expect(partitionText({ b: '', a: 'x' })).toBe(partitionText({ a: 'x', b: null }))
    expect(partitionText({ a: 'x' })).not.toBe(partitionText({ a: 'y' }))
    expect(partitionText(null)).toBe('{}')
    expect(parsePartitionValues(null)).toEqual({})
    expect(parsePartitionValues('{"a":null}')).toEqual({ a: null })
  })

  test('a key named __proto__ is a key', () => {
    const values = parsePartitionValues('{"__proto__":"x"}')
    expect(partitionText(values)).toBe('{"__proto__":"x"}')
  })

  test('a schema is a value, whatever its spacing', () => {
    const metadata = { id: 'm', schemaString: '{"type":"struct","fields":[]}' }
    const protocol = { minReaderVersion: 1, minWriterVersion: 2 }
    const spaced = { ...metadata, schemaString: '{ "fields": [], "type": "struct" }' }
    expect(stateText(3, protocol, metadata)).toBe(stateText(3, protocol, spaced))
    expect(stateText(3, protocol, metadata)).not.toBe(stateText(4, protocol, metadata))
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

  test('what cannot be asked is skipped with its reason', () => {
    const { asked, skipped } = plannedQuestions(
      plan,
      new Set(['counts', 'min-max']),
      new Map([['min-max', 'no stats']]),
    )
    expect(asked.map(({ id }) => id)).toEqual(['counts'])
    expect(skipped).toEqual([{ id: 'min-max', title: 'files left by min/max', reason: 'no stats' }])
  })

  test('ids', () => {
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

  test('the column that tells files apart is taken, and some file is kept', () => {
    const all = types(field('day', 'date'), field('blurred', 'long'), field('sharp', 'long'))
    const sample = Array.from({ length: 50 }, (_, i) => stats({ blurred: [0, 1000], sharp: [i * 10, i * 10 + 9] }))
    const text = chooseCondition(sample, all)
    expect(text).toMatch(/^sharp = \d+$/)
    const pruning = compilePruning(parsePredicate(text ?? ''), all.schema, all.partitionColumns)
    expect(sample.filter((one) => pruning.byStats(one))).toHaveLength(1)
  })

  test('text, dates, timestamps and decimals make conditions that compile', () => {
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

  test('none without usable stats, and none on a partition column', () => {
    expect(chooseCondition([], types(field('id', 'long')))).toBeNull()
    expect(chooseCondition(['{"numRecords":3}', 'broken'], types(field('id', 'long')))).toBeNull()
    expect(chooseCondition([stats({ day: ['2024-01-01', '2024-01-01'] })], types(field('day', 'date')))).toBeNull()
    expect(chooseCondition([stats({ flag: [false, true] })], types(field('flag', 'boolean')))).toBeNull()
    expect(chooseCondition([stats({ x: ['NaN', 'NaN'] })], types(field('x', 'double')))).toBeNull()
  })
})
