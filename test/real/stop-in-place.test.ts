/**
 * A request to stop ends `partition in-place` and `partition decommission`, also of a database, while they wait for a
 * lock: nothing is switched or dropped.
 */
import { describe, expect, it } from 'vitest'
import { Interrupter } from '../../src/shared/abort.ts'
import type { Operation } from '../../src/app/operations/list.ts'
import { makePlace, missing, perform, type Place } from '../support/copy-systems.ts'
import { psql } from './copy-postgresql-kit.ts'
import {
  copyAll,
  makeOld,
  quoted,
  retire as retireDatabase,
  standing,
  STEPS,
  TABLE_SQL,
} from './decommission-database-kit.ts'
import { DAY, PARKED_SQL, PARKED_TEXT, parkTable, PUBLIC } from './decommission-kit.ts'
import { inPlace, marksLeft, SQL, stageTable } from './in-place-kit.ts'

const why = await missing('postgresql')

const held = (table: string): string => `LOCK TABLE ${table} IN ACCESS SHARE MODE`

/**
 * Requests the stop once a session waits for the lock of another one of this place.
 * @param lock taken before the run begins; or at its first finding
 */
async function stopped(place: Place, lock: string, operation: Operation, isLate = false): Promise<number> {
  const reader = await psql(place.url)
  try {
    await reader.run('BEGIN')
    if (!isLate) await reader.run(lock)
    const interrupt = new Interrupter()
    let late: Promise<unknown> | null = isLate ? null : Promise.resolve()
    const running = perform(operation, {
      interrupt,
      onEvent: ({ type }) => void (type === 'decommission.finding' && (late ??= reader.run(lock))),
    })
    const waits = `SELECT count(*) FROM pg_locks WHERE NOT granted AND pg_backend_pid() <> pid AND (database = (SELECT oid FROM pg_database WHERE datname = current_database()) OR locktype = 'object')`
    while ((await place.rows(waits))[0]?.[0] === '0') await place.rows('SELECT pg_sleep(0.02)')
    interrupt.requestStop()
    return (await running).finished.exitCode
  } finally {
    await reader.close()
  }
}

describe.skipIf(why !== '')(`a stop during a wait for a lock ${why}`, () => {
  it('partitions nothing, and the next run succeeds', { timeout: 60_000 }, async () => {
    const place = await makePlace('postgresql', '')
    await stageTable(place)
    expect(await stopped(place, held(SQL), inPlace(place))).toBe(75)
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
    expect(await stopped(place, held(PARKED_SQL), retire({ confirm: PARKED_TEXT }))).toBe(75)
    expect(await place.rows(`SELECT count(*) FROM ${PARKED_SQL}`)).toEqual([['500']])
  })
  it('closes and drops no database', { timeout: 60_000 }, async () => {
    const moved = await makeOld('')
    await copyAll(moved)
    const { old, to, name } = moved
    const open = [['t', '17']]
    const exclusive = `LOCK TABLE ${TABLE_SQL} IN ACCESS EXCLUSIVE MODE`
    expect(await stopped(old, exclusive, retireDatabase(moved))).toBe(75)
    expect(await standing(moved)).toEqual(open)
    // The database accepts connections again. Its closing takes time while a session has to end.
    const session = await psql(old.url)
    expect(await stopped(to, exclusive, retireDatabase(moved), true)).toBe(75)
    await session.close()
    expect(await to.rows(STEPS)).toEqual([['closing'], ['opening'], ['active']])
    expect(await standing(moved)).toEqual(open)

    expect((await perform(retireDatabase(moved, { inactive: true }))).finished.exitCode).toBe(0)
    const comment = `COMMENT ON DATABASE ${quoted(name)} IS 'held'`
    const drop = retireDatabase(moved, { graceMs: 0, confirm: name })
    expect(await stopped(to, comment, drop)).toBe(75)
    expect(await standing(moved)).toEqual([['f', '17']])
    expect((await perform(drop)).finished.exitCode).toBe(0)
    expect(await standing(moved)).toEqual([])
  })
})
