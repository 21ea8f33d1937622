/** Statistics that a checkpoint holds only in columns, against the text that the writer's own commits hold of the same files. */
import { isDeepStrictEqual } from 'node:util'
import { describe, expect, test } from 'vitest'
import { readCheckpoint } from '../../src/delta/checkpoint.ts'
import { readCommit } from '../../src/delta/commit-lines.ts'
import { canonicalPath, dvId } from '../../src/delta/paths.ts'
import type { AddAction } from '../../src/delta/actions.ts'
import { HAVE_TABLES, NEVER, expectedTables, openTable, parquet } from './shared-tables.ts'

const tables = expectedTables().filter(({ checkpoints }) => (checkpoints ?? []).length > 0)

/** What the JSON text says, numbers as text so that none is rounded; nulls and empty objects say nothing. */
function meaning(stats: string): unknown {
  const exact = stats.replace(
    /(?<=[:[,]\s*)-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?(?=\s*[,}\]])/g,
    (digits) => `"#${digits.replace(/(\.\d*?)0+$/, '$1').replace(/\.$/, '')}"`,
  )
  return JSON.parse(exact, (_key, value: unknown) => {
    if (value === null) return undefined
    // The text cuts times to milliseconds, and writes the zone in one of two ways.
    if (typeof value === 'string') return value.replace(/(\.\d{3})\d*(Z|[+-]00:00)?$/, '$1Z')
    if (typeof value === 'object' && Object.keys(value).length === 0) return undefined
    return value
  })
}

test.skipIf(!HAVE_TABLES)('the real tables are in ../shared', () => {
  expect(tables.length).toBeGreaterThan(20)
})

describe.skipIf(!HAVE_TABLES)('statistics of checkpoints say what those of commits say', () => {
  test.each(tables.map(({ table }) => table))('%s', async (name) => {
    const table = await openTable(name)
    const key = (add: AddAction): string =>
      JSON.stringify([canonicalPath(add.path, table.store.root), dvId(add.deletionVector)])
    const written = new Map<string, string>()
    for (const commit of (await table.listing()).commits) {
      for await (const block of readCommit(table.store, commit, NEVER)) {
        for (const { action } of block) {
          if (action.kind === 'add' && action.add.stats) written.set(key(action.add), action.add.stats)
        }
      }
    }
    let compared = 0
    const differences: unknown[] = []
    for (const checkpoint of (await table.listing()).checkpoints) {
      for await (const block of readCheckpoint(table.store, parquet, checkpoint, { signal: NEVER })) {
        for (const { action } of block) {
          if (action.kind !== 'add' || !action.add.stats) continue
          const text = written.get(key(action.add))
          if (text === undefined) continue
          compared++
          const [read, wrote] = [meaning(action.add.stats), meaning(text)]
          if (!isDeepStrictEqual(read, wrote)) differences.push({ read, wrote })
        }
      }
    }
    expect(differences).toEqual([])
    expect(compared).toBeGreaterThanOrEqual(name.includes('struct-stats-only') ? 1 : 0)
  })
})
