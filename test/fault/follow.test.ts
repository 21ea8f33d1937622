/** A copy that follows its source while the source is written to: killed, stopped and run again, it ends equal. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { CopyOperation } from '../../src/engine/operation.ts'
import { copyOf, perform, placeOn, type Place } from '../support/copy-systems.ts'
import { FOLLOW_NAMES, FOLLOW_TABLES, followedRows, seedRows, startWriter } from '../support/follow-writer.ts'
import { startPostgres, POSTGRES_OWN, type PostgresServer } from '../support/servers/postgresql.ts'
import { startCopy } from './copy-kit.ts'

let folder = ''
let server: PostgresServer

beforeAll(async () => {
  if (!POSTGRES_OWN) return
  folder = mkdtempSync(`${tmpdir()}/sluice-follow-`)
  server = await startPostgres({
    extraSettings: ['wal_level=logical', 'max_replication_slots=40', 'max_wal_senders=40'],
  })
})

afterAll(async () => {
  await server?.[Symbol.asyncDispose]()
  if (folder !== '') rmSync(folder, { recursive: true, force: true })
})

type Stage = { readonly source: Place; readonly target: Place; readonly copy: CopyOperation }

async function stage(rows: number): Promise<Stage> {
  const [source, target] = [await placeOn('postgresql', server.url()), await placeOn('postgresql', server.url())]
  await source.sql(...FOLLOW_TABLES, ...seedRows(rows))
  const one = copyOf(source, target, 'acct', { chunkRows: Math.ceil(rows / 6), workers: 2 })
  return { source, target, copy: { ...one, tables: [...FOLLOW_NAMES], follow: {} } }
}

async function expectEqual({ source, target }: Stage, where = ''): Promise<void> {
  const [left, right] = [await followedRows(source.rows), await followedRows(target.rows)]
  for (const name of FOLLOW_NAMES) {
    const there = new Set(right[name])
    const here = new Set(left[name])
    expect(left[name]?.filter((row) => !there.has(row)).slice(0, 3), `${where}: missing in ${name}`).toEqual([])
    expect(right[name]?.filter((row) => !here.has(row)).slice(0, 3), `${where}: surplus in ${name}`).toEqual([])
    expect(right[name]?.length, `${where}: rows of ${name}`).toBe(left[name]?.length)
  }
}

test(
  'a source that is written to all the time is copied, followed, and equal once it caught up',
  { timeout: 120_000 },
  async (context) => {
    context.skip(!POSTGRES_OWN, 'no PostgreSQL server can be started here')
    const one = await stage(3000)
    const writer = startWriter(one.source.url, { seed: 1, keys: 3000 })
    const child = startCopy(one.copy)
    const live = await child.until('follow.progress')
    expect(live.type).toBe('follow.progress')
    const seen = writer.committed()
    while (writer.committed() < seen + 200) await sleep(20)
    await writer.stop()
    child.process.kill('SIGKILL')
    await child.ended
    const { finished } = await perform({ ...one.copy, follow: { until: 'caught-up' } })
    expect(finished).toMatchObject({ exitCode: 0, totals: { live: '4' } })
    await expectEqual(one)
  },
)
