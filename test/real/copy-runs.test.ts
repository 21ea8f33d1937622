/** `runs --to URL`: runs of copies in the ledger, in each system that can have one. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { CopyChunkEvent, CopyRunEvent } from '../../src/model/run/event.ts'
import { processStart, thisProcess } from '../../src/shared/owner.ts'
import { copyOf, makePlace, missing, perform, type Place, type Ran } from '../support/copy-systems.ts'

let folder = ''
let source: Place

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'sluice-copy-runs-'))
  source = await makePlace('sqlite', folder)
  await source.sql(
    'CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT)',
    "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 40) INSERT INTO t SELECT i, 'name ' || i FROM n",
  )
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const runsOf = ({ events }: Ran): readonly CopyRunEvent[] =>
  events.flatMap((event) => (event.type === 'copy.run' ? [event] : []))
const chunksOf = ({ events }: Ran): readonly CopyChunkEvent[] =>
  events.flatMap((event) => (event.type === 'copy.chunk' ? [event] : []))

const idOf = ({ events }: Ran): string | undefined =>
  events.find(({ type }) => type === 'run.started')?.runId ?? undefined

describe.each(['sqlite', 'duckdb', 'postgresql', 'mysql', 'd1'] as const)('copies into %s', (system) => {
  test('are listed, newest first, and their chunks with the failed ones first', async (context) => {
    const why = await missing(system)
    context.skip(why !== '', why)
    const target = await makePlace(system, folder)
    if (system === 'duckdb' || system === 'sqlite') await target.sql('CREATE TABLE other (id INTEGER)')
    const none = await perform({ kind: 'copy-runs', to: target.url, limit: 20 })
    expect(none.finished).toMatchObject({ exitCode: 0, totals: { runs: '0' } })

    const copied = await perform(copyOf(source, target, 't', { chunkRows: 10, workers: 1 }))
    expect(copied.finished.exitCode).toBe(0)
    const again = await perform(copyOf(source, target, 't', { chunkRows: 10, workers: 1 }))
    const listed = await perform({ kind: 'copy-runs', to: target.url, limit: 20 })
    const [latest, first] = runsOf(listed)
    expect(listed.finished.totals).toEqual({ runs: '2' })
    expect([latest?.run, first?.run]).toEqual([idOf(again), idOf(copied)])
    expect(first).toMatchObject({ operation: 'copy', status: 'completed', exitCode: 0, rows: '40' })
    expect(Date.parse(first?.completedAt ?? '')).toBeGreaterThanOrEqual(Date.parse(first?.startedAt ?? ''))
    expect(runsOf(await perform({ kind: 'copy-runs', to: target.url, limit: 1 }))).toHaveLength(1)

    await target.sql(
      "UPDATE migration_checkpoints SET status = 'failed', error_code = 'ROW_REFUSED', error_message = 'no' WHERE chunk_no = 3",
    )
    const runId = first?.run ?? ''
    const one = await perform({ kind: 'copy-runs', to: target.url, limit: 20, runId })
    expect(one.finished.totals).toMatchObject({ failed: '1', rows: '40' })
    const [failed, ...done] = chunksOf(one)
    expect(failed).toMatchObject({
      chunk: '3',
      status: 'failed',
      tokenMin: '21',
      tokenMax: '30',
      error: 'ROW_REFUSED: no',
    })
    expect(new Set(done.map(({ status }) => status))).toEqual(new Set(['completed']))
    expect(chunksOf(await perform({ kind: 'copy-runs', to: target.url, limit: 2, runId }))).toHaveLength(2)

    const wrong = await perform({ kind: 'copy-runs', to: target.url, limit: 20, runId: '1' })
    expect(wrong.finished).toMatchObject({ exitCode: 2, error: { code: 'BAD_FLAG' } })
  }, 90_000)
})

test('a run whose process was killed is called killed, and the next one records that', async () => {
  const target = await makePlace('sqlite', folder)
  const copied = await perform(copyOf(source, target, 't', { chunkRows: 10 }))
  // As after a kill.
  await target.sql(
    "UPDATE migration_runs SET status = 'running', ended_ms = NULL, exit_code = NULL, rows_written = NULL, alive_until = 1",
  )
  const status = 'SELECT status, rows_written FROM migration_runs ORDER BY started_ms'
  const [killed] = runsOf(await perform({ kind: 'copy-runs', to: target.url, limit: 20 }))
  expect(killed).toMatchObject({ run: idOf(copied), status: 'killed', rows: '40' })
  expect(await target.rows(status)).toEqual([['running', null]])
  await perform(copyOf(source, target, 't', { chunkRows: 10, restart: true, onExisting: 'upsert' }))
  expect(await target.rows(status)).toEqual([
    ['killed', '40'],
    ['completed', '40'],
  ])
})

test('a run without a heartbeat is running while its process exists, and ended with its last chunk after that', async () => {
  const target = await makePlace('sqlite', folder)
  await perform(copyOf(source, target, 't', { chunkRows: 10 }))
  const other = spawn('sleep', ['600'])
  try {
    const { machine } = thisProcess()
    await target.sql(
      `UPDATE migration_runs SET status = 'running', ended_ms = NULL, exit_code = NULL, alive_until = 1, pid = ${other.pid},
         machine = '${machine}', process_started = '${processStart(other.pid ?? 0)}'`,
    )
    const look = async () => runsOf(await perform({ kind: 'copy-runs', to: target.url, limit: 20 }))[0]
    expect(await look()).toMatchObject({ status: 'running', error: expect.stringContaining('it hangs') })
    other.kill('SIGKILL')
    await once(other, 'close')
    const [[last] = []] = await target.rows('SELECT MAX(completed_ms) FROM migration_checkpoints')
    expect(await look()).toMatchObject({ status: 'killed', completedAt: new Date(Number(last)).toISOString() })
  } finally {
    other.kill('SIGKILL')
  }
})
