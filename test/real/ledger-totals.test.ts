/**
 * The totals that a ledger computes in SQL equal those of its chunks read one by one, on every system. A copy of very
 * many chunks reports their totals.
 */
import fc from 'fast-check'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { TableContext } from '../../src/engine/copy/table/context.ts'
import { chunkTotals, cleanChunks, coverage } from '../../src/engine/copy/ledger/chunk-totals.ts'
import { ChunkLedger } from '../../src/engine/copy/ledger/chunks.ts'
import type { RunOwner } from '../../src/engine/copy/ledger/owner.ts'
import { RunJournal } from '../../src/app/journal/run-journal.ts'
import { prepareLedger } from '../../src/engine/copy/ledger/schema.ts'
import { openCopyStore } from '../../src/engine/copy/open-stores.ts'
import { ChunkCoverage } from '../../src/engine/copy/plan/covered.ts'
import { TableTotals } from '../../src/engine/copy/table/table-totals.ts'
import type { Event } from '../../src/model/run/event.ts'
import type { SluiceError } from '../../src/shared/errors.ts'
import { newOwner } from '../../src/shared/owner.ts'
import type { LedgerDatabase } from '../../src/model/run/ledger-port.ts'
import { copyOf, makePlace, missing, perform } from '../support/copy-systems.ts'

const SYSTEMS = ['sqlite', 'postgresql', 'mysql', 'duckdb', 'd1'] as const
const KEY = { schema: 's', name: 't' }
const RUN = 9_007_199_254_740_993n
const BEGUN = 1_700_000_000_000

let folder = ''
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'sluice-totals-'))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

type Made = {
  readonly status: string
  readonly code: string | null
  readonly run: bigint | null
  readonly rows: readonly (number | bigint | null)[]
  readonly surplus: number | null
  readonly at: number | null
  readonly view: string | null
  readonly kind: string | null
  readonly lo: string | null
  readonly hi: string | null
}

const rows = fc.oneof(fc.constant(null), fc.integer({ min: 0, max: 50 }), fc.constant(4_000_000_000_000_001n))
const bounds = fc
  .uniqueArray(fc.integer({ min: 0, max: 6 }), { minLength: 2, maxLength: 2 })
  .chain((ends) =>
    fc.tuple(...ends.toSorted((a, b) => a - b).map((n) => fc.option(fc.constant(`["${n}"]`), { freq: 6 }))),
  )
const chunk: fc.Arbitrary<Made> = fc
  .record({
    status: fc.constantFrom('pending', 'in_progress', 'completed', 'completed', 'completed', 'failed'),
    code: fc.constantFrom(null, 'ROWS_ASIDE', 'VALUE_REFUSED'),
    run: fc.constantFrom(null, RUN, 7n),
    rows: fc.tuple(rows, rows, rows, fc.constantFrom(null, 0, 0, 3), rows),
    surplus: fc.constantFrom(null, 0, -3, 5),
    at: fc.constantFrom(null, BEGUN - 5, BEGUN, BEGUN + 5),
    view: fc.constantFrom(null, 'a', 'b', 'c '),
    kind: fc.constantFrom('key', 'key', 'key', 'nullKey', 'all', null),
    bounds,
  })
  .map(({ bounds: [lo = null, hi = null], ...one }) => ({ ...one, lo, hi }))
/** Mostly a chain, like the chunks of a table. */
const chained = fc.array(chunk, { maxLength: 30 }).chain((made) =>
  fc.array(fc.integer({ min: 0, max: 9 }), { minLength: made.length, maxLength: made.length }).map((breaks) =>
    made.map((one, i): Made => {
      if (breaks[i] === 0) return one
      return { ...one, kind: 'key', lo: i === 0 ? null : `["${i}"]`, hi: i + 1 === made.length ? null : `["${i + 1}"]` }
    }),
  ),
)

async function fill(ledger: LedgerDatabase, chunks: readonly Made[]): Promise<void> {
  await ledger.batch([{ sql: 'DELETE FROM migration_checkpoints', parameters: [] }])
  for (const [i, one] of chunks.entries()) {
    const { status, code, run, surplus, at, view, kind, lo, hi } = one
    await ledger.batch([
      {
        sql: `INSERT INTO migration_checkpoints (table_name, schema_name, chunk_no, status, error_code, error_message, run_id, rows_read, rows_written, rows_skipped,
                rows_quarantined, bytes, surplus, completed_ms, read_view, kind, lo, hi, start_id, end_id)
              VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
        parameters: [KEY.name, KEY.schema, i + 1, status, code, `why ${i}`, run, ...one.rows, surplus, at, view, kind, lo, hi, i, i], // prettier-ignore
      },
    ])
  }
}

const context = {
  ring: null,
  plan: { cut: 'key', proof: 'canonical' },
  owner: { runId: RUN } as RunOwner,
} as unknown as TableContext

/** Totals with numbers as the viewer prints them. */
function seen(standing: TableTotals): unknown {
  const {
    failed,
    cause,
    quarantined: aside,
    isOpen,
    isWhole,
    written,
    extra,
    old,
    completionTimes: provedSpan,
    views,
    codes,
  } = standing
  const sums = { failed, aside, allWritten: written, extra, old, ...standing.tally(0) }
  return { sums, cause, isOpen, isWhole, provedSpan, views: [...views].toSorted(), codes: [...codes].toSorted() }
}

/**
 * Ranges that the chunks of a table do not cover. If two chunks begin at one key, it does not matter which of them
 * follows the one before.
 */
function gapsOf(cover: ChunkCoverage, integers: boolean): unknown {
  try {
    return cover.gaps(integers)
  } catch (error) {
    return (error as SluiceError).code
  }
}

describe.each(SYSTEMS)('a ledger in %s', { timeout: 120_000 }, (system) => {
  test('computes the same totals as from its chunks one by one', async (context_) => {
    const why = await missing(system)
    context_.skip(why !== '', why)
    const { url } = await makePlace(system, folder)
    await using store = await openCopyStore(url, { mode: 'write' })
    await using ledger = await store.ledger()
    await prepareLedger(ledger)
    const book = new ChunkLedger(ledger, KEY, { ...newOwner('here'), runId: RUN })
    const numRuns = system === 'd1' ? 3 : 20
    await fc.assert(
      fc.asyncProperty(chained, async (chunks) => {
        await fill(ledger, chunks)
        const [slow, fast] = [new TableTotals(context, undefined, BEGUN), new TableTotals(context, undefined, BEGUN)]
        const cover = new ChunkCoverage()
        const clean = { read: 0n, written: 0n, numbers: [] as number[] }
        let [any, last, nullKeys] = [false, 0, false]
        for await (const one of book.each()) {
          slow.add(one)
          cover.add(one)
          any = true
          last = Math.max(last, one.no)
          nullKeys ||= one.range.by === 'nullKey'
          if (one.status !== 'completed' || one.quarantined > 0n) continue
          clean.read += one.read
          clean.written += one.written
          clean.numbers.push(one.no)
        }
        fast.take(await chunkTotals(ledger, KEY, { runId: RUN, begunMs: BEGUN }))
        expect(seen(fast)).toEqual(seen(slow))
        const { ranges, ...survey } = await coverage(ledger, KEY)
        const quick = new ChunkCoverage()
        for (const range of ranges) quick.add({ id: 0, range })
        expect(survey).toEqual({ any, last, nullKeys })
        for (const integers of [true, false]) expect(gapsOf(quick, integers)).toEqual(gapsOf(cover, integers))
        const reported = await cleanChunks(ledger, KEY, true)
        expect([reported.sums.read, reported.sums.written]).toEqual([String(clean.read), String(clean.written)])
        const numbers = reported.states.flatMap((one) =>
          Array.from({ length: one.last - one.first + 1 }, (_, i) => one.first + i),
        )
        expect(numbers).toEqual(clean.numbers)
      }),
      { numRuns },
    )
  })
})

test('a copy that is resumed reports very many chunks by their totals', { timeout: 120_000 }, async () => {
  const CHUNKS = 10_010
  const [source, target] = [await makePlace('sqlite', folder), await makePlace('sqlite', folder)]
  const numbers = `WITH RECURSIVE n(i) AS (SELECT 2 UNION ALL SELECT i + 1 FROM n WHERE i < ${CHUNKS})`
  await source.sql('CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT NOT NULL)', "INSERT INTO t VALUES (1, 'v')")
  const copy = copyOf(source, target, 't', { chunkRows: 1 })
  expect((await perform(copy)).finished).toMatchObject({ exitCode: 0, totals: { chunks: '1' } })
  // As if each row had been copied in a chunk of its own.
  for (const place of [source, target]) await place.sql(`${numbers} INSERT INTO t SELECT i, 'v' FROM n`)
  const own = {
    id: 'i',
    chunk_no: 'i',
    start_id: 'i',
    end_id: 'i',
    lo: `'["' || (i - 1) || '"]'`,
    hi: `'["' || i || '"]'`,
  }
  const columns = (await target.rows("SELECT name FROM pragma_table_info('migration_checkpoints')")).map(([name]) => String(name)) // prettier-ignore
  const values = columns.map((name) => (Object.hasOwn(own, name) ? own[name as keyof typeof own] : name))
  await target.sql(
    `UPDATE migration_checkpoints SET hi = '["1"]', end_id = 1`,
    `${numbers} INSERT INTO migration_checkpoints (${columns.join(', ')}) SELECT ${values.join(', ')} FROM migration_checkpoints, n`,
    "UPDATE migration_checkpoints SET status = 'pending' WHERE chunk_no = 5000",
    'DELETE FROM t WHERE id = 5000',
  )
  const second = await perform(copy)
  expect(second.finished).toMatchObject({
    exitCode: 0,
    totals: { written: String(CHUNKS), chunks: String(CHUNKS), proved: '1', earlier: String(CHUNKS - 1) },
  })
  const of = (type: Event['type']): readonly Event[] => second.events.filter((event) => event.type === type)
  expect(of('chunk.skipped')).toEqual([])
  expect(of('chunk.done')).toHaveLength(1)
  const done = String(CHUNKS - 1)
  expect(of('chunks.summary')).toMatchObject([
    {
      before: { read: done, written: done, proved: done },
      here: { read: '0' },
      states: [
        { first: 1, last: 4999, state: 'proved', edges: ['1', '4999'] },
        { first: 5001, last: CHUNKS, state: 'proved', edges: ['5001', String(CHUNKS)] },
      ],
    },
  ])
  const journal = new RunJournal()
  for (const event of second.events) journal.take(event)
  const reported = journal.snapshot().filter((event) => event.type === 'chunks.summary')
  expect(reported).toMatchObject([{ before: { read: done, written: done, proved: done } }])
})
