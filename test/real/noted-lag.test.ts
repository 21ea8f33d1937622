/** Notes of triggers carry no time: what is told of their age is never less than it is, and raises an alert where it is too much. */
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

describe.each(['sqlite', 'mysql', 'postgresql'] as const)('notes of %s', { timeout: 60_000 }, (system) => {
  test('that wait since no program followed, and while one is paused, have an age that is true, and alarm', async ({
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
      // What is being read when somebody pauses is read.
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
        // The age is that of a look which comes before the event.
        if (lagIs === 'at most') expect(lagMs).toBeGreaterThan(Date.parse(ts) - (at === 0 ? wroteAt : heldAt) - 400)
      }
      return waited
    }
    // Before anything was applied nobody knows more than since when notes are seen.
    expect((await again())[0]).toMatchObject({ lagIs: 'at least' })
    expect((await again())[0]).toMatchObject({ lagIs: 'at most' })
  })
})
