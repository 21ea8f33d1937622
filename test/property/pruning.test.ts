import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { compilePruning } from '../../src/delta/pruning.ts'
import { parseSchema } from '../../src/delta/schema.ts'
import { parsePredicate } from '../../src/model/lake/predicate.ts'
import type { Condition } from '../../src/model/lake/predicate.ts'
import { renderCondition } from '../support/render-predicate.ts'
import { conditionOver, DATA, habits, leafOver, rowOf, schemaOf, type Kinds } from '../support/conditions.ts'
import { dateText, evaluate, statsOf, type Row, type Value } from '../support/lake-rows.ts'

const PARTITIONS = { pyear: 'long', pregion: 'string', pday: 'date' } as const
const KINDS: Kinds = { ...PARTITIONS, ...DATA }
const SCHEMA = parseSchema(schemaOf(KINDS))

const file = fc.record({
  partition: rowOf(PARTITIONS),
  rows: fc.array(rowOf(DATA), { minLength: 1, maxLength: 4 }),
  habits,
  deleted: fc.nat(3),
})
const condition = conditionOver(KINDS)

/** Without positions in the text, and with nested chains flattened like the parser does. */
function bare(value: Condition): unknown {
  return JSON.parse(JSON.stringify(value, (key, inner: unknown) => (key === 'at' ? undefined : inner)))
}

function partitionText(name: string, value: Value): string | null {
  if (value === null) return null
  return KINDS[name] === 'date' ? dateText(Number(value)) : String(value)
}

describe('conditions', () => {
  it('are equal after rendering and parsing', () => {
    fc.assert(
      fc.property(condition, (given) => {
        const once = parsePredicate(renderCondition(given))
        const twice = parsePredicate(renderCondition(once.root))
        expect(bare(twice.root)).toEqual(bare(once.root))
        expect(renderCondition(twice.root)).toBe(renderCondition(once.root))
      }),
      { numRuns: 500 },
    )
  })
})

type MadeFile = typeof file extends fc.Arbitrary<infer F> ? F : never

/** Whether the file is kept; throws if a file with a matching row is dropped. */
function judge(given: Condition, { partition, rows, habits: writer, deleted }: MadeFile) {
  const shown = renderCondition(given)
  const predicate = parsePredicate(shown)
  const pruning = compilePruning(predicate, SCHEMA, Object.keys(PARTITIONS))
  const stats = statsOf(rows, DATA, writer)
  const left: readonly Row[] = (writer.wide ? rows.slice(deleted) : rows).map((row) => ({
    ...row,
    ...partition,
    // As a partition value, an empty text is null.
    pregion: partition['pregion'] === '' ? null : (partition['pregion'] ?? null),
  }))
  const values = Object.fromEntries(
    Object.entries(partition).map(([name, value]) => [name, partitionText(name, value)]),
  )
  const matches = left.some((row) => evaluate(predicate.root, row, KINDS) === true)
  const answers = [pruning.byPartition(values), pruning.byStats(stats), pruning.byFile(values, stats)]
  if (matches && answers.includes(false)) {
    throw new Error(`${shown}\nlost ${stats}\nin ${JSON.stringify(values)}: ${String(answers)}`)
  }
  if (answers[2] === true && answers.includes(false)) throw new Error('byFile keeps what one side drops')
  return { matches, kept: answers[2] === true, isPlain: writer.without === 'nothing' && !writer.wide }
}

describe('pruning', () => {
  it.each([
    ['any condition', condition, 4000],
    ['one column', leafOver(KINDS), 8000],
  ])('keeps every file with a matching row, and drops most others: %s', (_, conditions, numRuns) => {
    let dropped = 0
    let droppable = 0
    fc.assert(
      fc.property(conditions, fc.array(file, { minLength: 1, maxLength: 3 }), (given, files) => {
        for (const { matches, kept, isPlain } of files.map((made) => judge(given, made))) {
          if (matches || !isPlain) continue
          droppable++
          if (!kept) dropped++
        }
      }),
      { numRuns },
    )
    expect(droppable).toBeGreaterThan(500)
    expect(dropped / droppable).toBeGreaterThan(0.5)
  })
})
