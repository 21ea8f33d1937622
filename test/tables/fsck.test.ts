/**
 * Real tables, as their projects publish them: what `fsck` finds in each was read one by one against the table's documentation. Files that
 * are not there belong to tables of which only the log is published.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { systemClock } from '../../src/shared/clock.ts'
import { fsckOf, perform, type Performed } from '../real/operation-kit.ts'
import { expectedTables, folderOf, HAVE_TABLES, handy, representative } from './shared-tables.ts'

type Expected = {
  /** Active files; absent where the table cannot be read. */
  readonly files?: number
  /** Findings by kind. */
  readonly findings?: Readonly<Record<string, number>>
  readonly notes?: readonly string[]
  readonly refused?: string
  /** Why a finding is right. */
  readonly why?: string
}

const EXPECTED = JSON.parse(readFileSync(join(import.meta.dirname, 'fsck-expected.json'), 'utf8')) as Readonly<
  Record<string, Expected>
>
/** Long after all of them: what VACUUM would delete does not depend on the day of the test. */
const CLOCK = { ...systemClock, now: () => Date.UTC(2100, 0, 1) }

function outcome({ events, finished }: Performed): Expected {
  if (finished.totals['files'] === undefined) return { refused: finished.error?.code ?? '' }
  const found = events.filter((event) => event.type === 'fsck.finding')
  const findings: Record<string, number> = {}
  for (const { level, finding } of found) if (level === 'finding') findings[finding] = (findings[finding] ?? 0) + 1
  // Times are those of the copy.
  const notes = new Set(
    found.filter(({ level, finding }) => level === 'note' && finding !== 'file-time').map(({ finding }) => finding),
  )
  return {
    files: Number(finished.totals['files']),
    findings,
    ...(notes.size === 0 ? {} : { notes: [...notes].toSorted() }),
  }
}

describe.skipIf(!HAVE_TABLES)('real tables', () => {
  const tables = expectedTables()
  test('each of them is in the list', () => {
    expect(Object.keys(EXPECTED).toSorted()).toEqual(tables.map(({ table }) => table).toSorted())
    for (const [table, { findings = {}, why }] of Object.entries(EXPECTED)) {
      if (Object.keys(findings).length > 0) expect(why, table).not.toBe(undefined)
    }
  })
  test.each(handy(tables).map(({ table }) => table))('%s', async (table) => {
    const { why: _, ...expected } = EXPECTED[table] as Expected
    expect(outcome(await perform(fsckOf(folderOf(table)), CLOCK))).toEqual(expected)
  })
  test.each(representative(tables, 40).map(({ table }) => table))('%s, read back', async (table) => {
    const { why: _, ...expected } = EXPECTED[table] as Expected
    expect(outcome(await perform(fsckOf(folderOf(table), { deep: true }), CLOCK))).toEqual(expected)
  })
})
