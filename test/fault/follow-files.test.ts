/** A copy that follows its source into a file: killed at any step while the source is written to, it ends equal. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { ALL } from '../support/backend.ts'
import { makePlace, perform } from '../support/copy-systems.ts'
import { expectSameRows } from '../support/follow-projection.ts'
import { leftAtSource, startFollowServer, writerStage, type Stage } from '../support/follow-stage.ts'
import { startWriter } from '../support/follow-writer.ts'
import { POSTGRES_MISSING, POSTGRES_OWN, type PostgresServer } from '../support/servers/postgresql.ts'
import { startCopy } from './copy-kit.ts'

/** Where a program meets its end: among its chunks, while tables catch up and become live, and while it compares. */
const KILLS = [
  { type: 'follow.started', times: 1 },
  { type: 'chunk.done', times: 3 },
  { type: 'follow.table', times: 2 },
  { type: 'follow.table', times: 5 },
  { type: 'follow.proved', times: 1 },
  { type: 'follow.progress', times: 2 },
] as const

let server: PostgresServer
const folder = mkdtempSync(join(tmpdir(), 'sluice-follow-files-'))

beforeAll(async () => {
  if (POSTGRES_OWN) server = await startFollowServer()
})

afterAll(async () => {
  await server?.[Symbol.asyncDispose]()
  rmSync(folder, { recursive: true, force: true })
})

describe.skipIf(!POSTGRES_OWN).each(['sqlite', 'duckdb'] as const)(`into %s ${POSTGRES_MISSING}`, (system) => {
  const writing = { keys: 600, pauseMs: 2, numbersOnly: system === 'sqlite' }
  const stage = async (): Promise<Stage> => writerStage(server, 600, await makePlace(system, folder))

  test('is killed again and again while its source is written to', { timeout: 120_000 }, async () => {
    const one = await stage()
    const writer = startWriter(one.source.url, { ...writing, seed: 3, truncates: true })
    const kills = ALL ? KILLS : [KILLS[1], KILLS[4]]
    for (const killedBy of kills) {
      const child = startCopy({ ...one.copy, follow: { until: 'equal' } }, killedBy === undefined ? {} : { killedBy })
      expect((await child.ended).signal).toBe('SIGKILL')
    }
    await writer.stop()
    const { finished } = await perform({ ...one.copy, follow: { until: 'equal' } })
    expect(finished).toMatchObject({ exitCode: 0, totals: { live: '4' } })
    expect(finished.notChecked).toMatch(/every row was found equal/)
    await expectSameRows(one)
    expect(await leftAtSource(one)).toHaveLength(2)
  })
})
