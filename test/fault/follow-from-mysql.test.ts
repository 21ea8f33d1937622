/**
 * A stream out of MariaDB by triggers, killed at its steps while the source is written to: the result is equal; lost
 * changes halt it, and ending it leaves nothing.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createConnection } from 'mysql2/promise'
import { afterAll, describe, expect, test } from 'vitest'
import { ALL } from '../support/backend.ts'
import { makePlace, missing, perform, type System } from '../support/copy-systems.ts'
import { expectSame, leftInMysql, mysqlStage, runUntil, startMysqlWriter } from '../support/follow-mysql-writer.ts'
import { startCopy } from './copy-kit.ts'

const absent = (await missing('mysql')) || (await missing('postgresql'))
const folder = mkdtempSync(join(tmpdir(), 'sluice-from-mysql-'))
const TARGETS: readonly System[] = ALL ? ['postgresql', 'sqlite'] : ['postgresql']

afterAll(() => rmSync(folder, { recursive: true, force: true }))

describe.skipIf(absent !== '')(`a stream out of MariaDB by triggers ${absent}`, () => {
  test.each(TARGETS)('into %s is equal after kills during writes', { timeout: 120_000 }, async (system) => {
    const one = await mysqlStage(await makePlace('mysql', folder), await makePlace(system, folder), 400)
    const writer = startMysqlWriter(one.source.url, 7, 400, 10)
    let killed = 0
    for (const [step, when] of [
      [12, 'after'],
      [48, 'before'],
    ] as const) {
      const child = startCopy({ ...one.copy, follow: { cdc: 'trigger', until: 'caught-up' } }, { step, when })
      if ((await child.ended).signal !== null) killed++
    }
    expect(killed).toBeGreaterThan(0)
    const first = await runUntil(one, 'caught-up')
    expect(first.finished, JSON.stringify(first.finished.error)).toMatchObject({ exitCode: 0, totals: { live: '4' } })
    const proved = await runUntil(one, 'equal')
    expect(proved.finished, JSON.stringify(proved.finished.error)).toMatchObject({ exitCode: 0 })
    expect(proved.events.filter((event) => event.type === 'follow.proved' && event.differing !== '0')).toEqual([])
    expect(await writer.stop()).toBeGreaterThan(50)
    expect((await runUntil(one, 'caught-up')).finished.exitCode).toBe(0)
    await expectSame(one)
  })

  test(
    'survives a large transaction, a kill before it deletes recorded keys, a resync, and its end',
    { timeout: 120_000 },
    async () => {
      const one = await mysqlStage(await makePlace('mysql', folder), await makePlace('postgresql', folder), 400)
      const begun = await runUntil(one, 'caught-up')
      expect(begun.finished, JSON.stringify(begun.finished.error)).toMatchObject({ exitCode: 0 })
      const notes = begun.events.flatMap((event) => (event.type === 'log' ? [event.message] : []))
      expect(notes.join()).toMatch(/acct: a write of one row takes [\d.]+ ms, (?:with|and) the trigger/)
      const started = begun.events.find((event) => event.type === 'follow.started')
      const stream = started?.type === 'follow.started' ? started.stream : ''
      // Recorded keys can be read, but not deleted.
      const blocker = await createConnection(one.source.url)
      await blocker.query('SET autocommit = 0')
      const child = startCopy(one.copy)
      await child.until('follow.progress')
      await one.source.sql(
        `INSERT INTO acct (id, qty, seat) SELECT 10000 + seq, 0, 10000 + seq FROM seq_1_to_15000`,
        'UPDATE acct SET qty = seat, seat = NULL WHERE id > 10000',
        'UPDATE acct SET seat = 10001 + qty % 15000 WHERE id > 10000',
      )
      await expect
        .poll(() => one.target.rows('SELECT count(*) FROM acct WHERE id > 10000 AND seat = 10001 + qty % 15000'), {
          timeout: 60_000,
        })
        .toEqual([['15000']])
      await blocker.query(`SELECT id FROM sluice_${stream}_keys_1 LIMIT 1 FOR UPDATE`)
      await one.source.sql('UPDATE acct SET qty = -1 WHERE id = 5', 'DELETE FROM acct WHERE id = 6')
      await expect
        .poll(() => one.target.rows('SELECT qty FROM acct WHERE id = 5'), { timeout: 30_000 })
        .toEqual([['-1']])
      child.process.kill('SIGKILL')
      await child.ended
      blocker.destroy()
      await one.source.sql('UPDATE acct SET qty = -2 WHERE id = 5', 'INSERT INTO acct (id, qty) VALUES (6, 66)')
      const again = await runUntil(one, 'equal')
      expect(again.finished, JSON.stringify(again.finished.error)).toMatchObject({ exitCode: 0 })
      await expectSame(one)
      const running = startCopy(one.copy)
      await running.until('follow.progress')
      await one.source.sql('TRUNCATE TABLE moves', "INSERT INTO moves VALUES (1, 'after', 1)")
      await running.ended
      const [end] = running.events.filter((event) => event.type === 'run.finished')
      expect(end).toMatchObject({ exitCode: 5, error: { code: 'STREAM_HALTED' } })
      const halted = await runUntil(one, 'caught-up')
      expect(halted.finished).toMatchObject({ exitCode: 5, error: { code: 'STREAM_HALTED' } })
      const halt = halted.events.find((event) => event.type === 'follow.halted')
      expect(halt).toMatchObject({ code: 'TABLE_CHANGED', tables: [expect.stringMatching(/\.moves$/)] })
      const name = halt?.type === 'follow.halted' ? (halt.tables[0] ?? '') : ''
      const anew = await perform({ ...one.copy, follow: { cdc: 'trigger', resync: [name], until: 'equal' } })
      expect(anew.finished, JSON.stringify(anew.finished.error)).toMatchObject({ exitCode: 0 })
      await expectSame(one)
      const { from, to } = one.copy
      const ending = { kind: 'follow', stream, from, to, end: true, untilCaughtUp: false, untilEqual: false } as const
      expect((await perform(ending)).finished.exitCode).toBe(0)
      expect(await leftInMysql(one.source)).toEqual([])
    },
  )
})
