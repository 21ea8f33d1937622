/**
 * Half-done work of an older program in a queue is continued by this one: runs that were begun or wait, and a schedule
 * that is due. SLUICE_MAKE_HALF_DONE=NAME creates the fixtures with the current build, on a server of the version of
 * `pg_dump`.
 */
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { identified } from '../../src/app/share/identity.ts'
import { dumpDatabase, fillDatabases } from '../support/half-done/dumps.ts'
import { finishQueue, leaveQueue, meantHere, placeOf, SIDES } from '../support/half-done/queue.ts'
import { FIXTURES, NEWEST } from '../support/half-done/room.ts'
import { POSTGRES_MISSING, POSTGRES_OWN } from '../support/servers/postgresql.ts'
import { WorkerStage } from '../support/worker-stage.ts'

const NEW = process.env['SLUICE_MAKE_HALF_DONE'] ?? ''
const fixture = (version: string, side: string): string => join(FIXTURES, version, `queue-${side}`)

describe.skipIf(!POSTGRES_OWN)(`half-done work in a queue ${POSTGRES_MISSING}`, { timeout: 180_000 }, () => {
  test.runIf(NEW !== '')('a fixture is created', async () => {
    await using stage = await WorkerStage.open()
    await leaveQueue(stage)
    for (const side of SIDES) await dumpDatabase(placeOf(stage, side), fixture(NEW, side))
  })

  test('runs and schedules of an older program are continued', async () => {
    await using stage = await WorkerStage.open()
    // The queue is on another server, so the same OID may belong to another object there.
    for (const sides of [['source', 'target'], ['queue']] as const)
      await fillDatabases(sides.map((side) => [fixture(NEWEST, side), placeOf(stage, side)]))
    const names = { shop: 'source', cold: 'target' } as const
    const known = Object.entries(names).map(([name, side]) => ({ name, url: stage.urlOf(stage.data, side) }))
    const here = await Promise.all(known.map(async (store) => await identified(store)))
    await meantHere(stage, new Map(here.map(({ name, identity }) => [name, identity])))
    await finishQueue(stage)
    expect(await stage.chunksDone()).toBe(24)
  })
})
