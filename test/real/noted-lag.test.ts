/**
 * Entries of triggers have no time: the reported age is never less than the true one, and raises an alert if it exceeds
 * the limit.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import Database from 'better-sqlite3'
import { afterAll, describe, expect, test } from 'vitest'
import type { SteeringRequest } from '../../src/engine/run/operation.ts'
import type { Event } from '../../src/model/run/event.ts'
import { Interrupter } from '../../src/shared/abort.ts'
import { copyOf, makePlace, missing, perform } from '../support/copy-systems.ts'

const folder = mkdtempSync(join(tmpdir(), 'sluice-noted-lag-'))

afterAll(() => rmSync(folder, { recursive: true, force: true }))

type Progress = Extract<Event, { type: 'follow.progress' }>

describe.each(['sqlite', 'mysql', 'postgresql'] as const)('change log entries of %s', { timeout: 60_000 }, (system) => {
  test('that wait while no program follows, or during a pause, have a true age, and raise an alert', async ({
    skip,
  }) => {
    const why = await missing(system)
    skip(why !== '', why)
    const [source, target] = [await makePlace(system, folder), await makePlace('sqlite', folder)]
    if (system === 'sqlite') new Database(source.url.slice('sqlite:///'.length)).pragma('journal_mode = wal')
    await source.sql('CREATE TABLE t (id int NOT NULL PRIMARY KEY, v int)', 'INSERT INTO t VALUES (0, 0)')
    const copy = copyOf(source, target, 't', { chunkRows: 100 })
    const follow = { cdc: 'trigger', alert: { conditions: [{ cause: 'lag', limit: 1500 }] } } as const
    const first = await perform({ ...copy, follow: { ...follow, until: 'caught-up' } })
    expect(first.finished, JSON.stringify(first.finished.error)).toMatchObject({ exitCode: 0 })
    const again = async (): Promise<Progress[]> => {
      const wroteAt = Date.now()
      await source.sql('UPDATE t SET v = v + 1')
      const [interrupt, events]: [Interrupter, Event[]] = [new Interrupter(), []]
      let options: (one: SteeringRequest) => void = () => undefined
      const running = perform(
        { ...copy, follow },
        {
          interrupt,
          onEvent: (event) => void events.push(event),
          control: { paused: false, lanes: null, onRequest: (listener) => void (options = listener) },
        },
      )
      const reported = (): Progress[] => events.filter((event) => event.type === 'follow.progress')
      const alerts = (): readonly string[] => events.flatMap((event) => (event.type === 'alert' ? event.state : []))
      while (reported().length === 0) await sleep(20)
      options({ act: 'hold', held: true })
      // The batch that is being read at the pause is completed.
      for (const before = reported().length; reported().length === before;) await sleep(20)
      const heldAt = Date.now()
      await source.sql('UPDATE t SET v = v + 1')
      while (alerts().length < 1) await sleep(20)
      const waited = reported()
      options({ act: 'hold', held: false })
      while (reported().at(-1)?.lagMs !== 0 || alerts().length < 2) await sleep(20)
      interrupt.requestStop()
      expect((await running).finished).toMatchObject({ exitCode: 75 })
      expect(alerts()).toEqual(['raised', 'cleared'])
      expect(events.find((event) => event.type === 'alert')).toMatchObject({
        value: expect.stringMatching(/^at most /) as string,
      })
      for (const [at, { ts, lagMs, lagIs }] of waited.entries()) {
        // The age is that of a query before the event.
        if (lagIs === 'at most') expect(lagMs).toBeGreaterThan(Date.parse(ts) - (at === 0 ? wroteAt : heldAt) - 400)
      }
      return waited
    }
    // Before anything was applied, only the time since which entries are seen is known.
    expect((await again())[0]).toMatchObject({ lagIs: 'at least' })
    expect((await again())[0]).toMatchObject({ lagIs: 'at most' })
  })
})
