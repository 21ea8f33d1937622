/**
 * A comparison reads the chunks of a copy page by page, in any order of the ledger. Its ranges are the same as if it
 * read all chunks at once.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { CopyOperation } from '../../src/engine/copy/operations/copy/declaration.ts'
import { CopiedTable } from '../../src/engine/copy/diff/copied-table.ts'
import { segments, type RangeSegment } from '../../src/engine/copy/diff/segments.ts'
import type { DiffSides } from '../../src/engine/copy/diff/sides.ts'
import { ChunkLedger } from '../../src/engine/copy/ledger/chunks.ts'
import { openCopyStore } from '../../src/engine/copy/open-stores.ts'
import { planCopy } from '../../src/engine/copy/plan/plan-copy.ts'
import { SourceViews } from '../../src/engine/copy/source-views.ts'
import { hasWholeBounds } from '../../src/model/copy/column-type.ts'
import { rangeText, type Range } from '../../src/model/copy/range.ts'
import { newOwner } from '../../src/shared/owner.ts'
import { copyOf, makePlace, perform, type Place } from '../support/copy-systems.ts'
import { coverOf } from '../support/whole-cover.ts'

let folder = ''
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'sluice-diff-chunks-'))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** A finished copy in chunks of ten rows. */
async function copied(
  key: string,
  values: readonly string[],
): Promise<{ readonly target: Place; readonly copy: CopyOperation }> {
  const [source, target] = [await makePlace('sqlite', folder), await makePlace('sqlite', folder)]
  const table = `CREATE TABLE t (id ${key} PRIMARY KEY NOT NULL, n INTEGER)`
  await source.sql(table, `INSERT INTO t VALUES ${values.map((value) => `(${value}, 1)`).join(', ')}`)
  await target.sql(table)
  const copy = copyOf(source, target, 't', { chunkRows: 10 })
  expect((await perform(copy)).finished).toMatchObject({ exitCode: 0 })
  return { target, copy }
}

/**
 * The ranges that are compared, and those that the chunks cover.
 * @param page chunks of the ledger per page
 */
async function compared(
  copy: CopyOperation,
  page: number,
): Promise<{ readonly found: readonly RangeSegment[]; readonly expected: readonly Range[] }> {
  const { signal } = new AbortController()
  await using from = await openCopyStore(copy.from, { mode: 'read' })
  await using to = await openCopyStore(copy.to, { mode: 'write' })
  await using database = await to.ledger()
  await using views = new SourceViews(from, signal)
  const planned = await planCopy({ ...copy, onExisting: 'append' }, from, to, {
    views,
    again: (body) => body(),
    signal,
  })
  const plan = planned.tables[0]?.plan
  if (plan == null) throw new Error('the table is not planned')
  const [key, owner] = [
    { schema: plan.target.table.schema ?? '', name: 't' },
    { ...newOwner('here'), runId: 1n },
  ]
  await using target = await to.source(signal)
  const sides: DiffSides = { plan, source: await views.current(), target, signal }
  const found: RangeSegment[] = []
  for await (const one of segments(sides, new CopiedTable(null, 0n, { database, owner, key, page }))) found.push(one)
  const all = await new ChunkLedger(database, key, owner).some('id > 0')
  const { chain, gaps } = coverOf(all, hasWholeBounds(plan.source))
  for (const { pieces } of found) {
    for (const [i, { range }] of pieces.entries()) {
      const before = pieces[i - 1]?.range
      if (before?.by === 'key' && range.by === 'key') expect(range.after).toEqual(before.through)
    }
  }
  const closed = new Set(all.filter(({ status }) => status === 'completed').map(({ id }) => id))
  const parts = found.flatMap(({ pieces }) => pieces.flatMap(({ part }) => part?.chunk?.id ?? []))
  expect(parts.toSorted((a, b) => a - b)).toEqual([...closed].toSorted((a, b) => a - b))
  return { found, expected: [...chain.map(({ range }) => range), ...gaps] }
}

const texts = (ranges: readonly Range[]): readonly string[] => ranges.map(rangeText).toSorted()

test('chunks by numbers, out of order, with some missing and some not completed', async () => {
  const { target, copy } = await copied('INTEGER', Array.from({ length: 300 }, (_, i) => String(i + 1))) // prettier-ignore
  await target.sql(
    'DELETE FROM migration_checkpoints WHERE chunk_no IN (4, 5, 17, 30)',
    "UPDATE migration_checkpoints SET status = 'pending' WHERE chunk_no IN (9, 10)",
    'UPDATE migration_checkpoints SET id = 1000 + (id * 7) % 31',
  )
  for (const page of [1, 4, 1000]) {
    const { found, expected } = await compared(copy, page)
    expect(texts(found.flatMap(({ pieces }) => pieces.map(({ range }) => range)))).toEqual(texts(expected))
  }
})

test('chunks by texts, in the order in which they were cut, and the range behind the last one', async () => {
  const { target, copy } = await copied('TEXT', Array.from({ length: 300 }, (_, i) => `'k${String(i).padStart(4, '0')}'`)) // prettier-ignore
  await target.sql('DELETE FROM migration_checkpoints WHERE chunk_no = 31')
  for (const page of [1, 7, 1000]) {
    const { found, expected } = await compared(copy, page)
    expect(texts(found.flatMap(({ pieces }) => pieces.map(({ range }) => range)))).toEqual(texts(expected))
    // All chunks fit into one segment; the range behind them is the second.
    expect(found.map(({ pieces }) => pieces.length)).toEqual([30, 1])
  }
  await target.sql('DELETE FROM migration_checkpoints WHERE chunk_no = 12')
  await expect(compared(copy, 7)).rejects.toMatchObject({ code: 'LEDGER_DAMAGED' })
})
