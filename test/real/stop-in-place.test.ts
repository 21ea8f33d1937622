/** A request to stop ends `partition in-place` and `partition decommission` while they wait for a lock: nothing is switched or dropped. */
import { describe, expect, it } from 'vitest'
import { Interrupter } from '../../src/shared/abort.ts'
import type { Operation } from '../../src/app/operations/list.ts'
import { makePlace, missing, perform, type Place } from '../support/copy-systems.ts'
import { psql } from './copy-postgresql-kit.ts'
import { DAY, PARKED_SQL, PARKED_TEXT, parkTable, PUBLIC } from './decommission-kit.ts'
import { inPlace, marksLeft, SQL, stageTable } from './in-place-kit.ts'

const why = await missing('postgresql')

/** Runs it while a reader holds the table, and asks it to stop once a session of it waits for the lock. */
async function stopped(place: Place, locked: string, operation: Operation): Promise<number> {
  const reader = await psql(place.url)
  try {
    await reader.run(`BEGIN; LOCK TABLE ${locked} IN ACCESS SHARE MODE`)
    const interrupt = new Interrupter()
    const running = perform(operation, { interrupt })
    const waits = `SELECT count(*) FROM pg_locks WHERE NOT granted AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`
    while ((await place.rows(waits))[0]?.[0] === '0') await place.rows('SELECT pg_sleep(0.02)')
    interrupt.requestStop()
    return (await running).finished.exitCode
  } finally {
    await reader.close()
  }
}

describe.skipIf(why !== '')(`a stop while a lock is waited for ${why}`, () => {
  it('partitions nothing, and the next run does', { timeout: 60_000 }, async () => {
    const place = await makePlace('postgresql', '')
    await stageTable(place)
    expect(await stopped(place, SQL, inPlace(place))).toBe(75)
    expect(await place.rows(`SELECT relkind FROM pg_class WHERE oid = '${SQL}'::regclass`)).toEqual([['r']])
    expect((await perform(inPlace(place))).finished).toMatchObject({ exitCode: 0, totals: { switched: '1' } })
    expect(await marksLeft(place)).toEqual([])
  })

  it('drops no table', { timeout: 60_000 }, async () => {
    const place = await makePlace('postgresql', '')
    await using _ = await parkTable(place)
    const retire = (more: { readonly inactive?: boolean; readonly confirm?: string }): Operation =>
      ({ kind: 'partition-decommission', from: place.url, table: PUBLIC, graceMs: 7 * DAY, inactive: false, undo: false, patienceMs: 5000, budgetMs: 60_000, dryRun: false, ...more }) // prettier-ignore
    expect((await perform(retire({ inactive: true }))).finished.exitCode).toBe(0)
    expect(await stopped(place, PARKED_SQL, retire({ confirm: PARKED_TEXT }))).toBe(75)
    expect(await place.rows(`SELECT count(*) FROM ${PARKED_SQL}`)).toEqual([['500']])
  })
})
