/**
 * Half-done work of an older program in PostgreSQL is completed by this one, with the command that was killed. Each run
 * of CI tests the newest folder of fixtures/half-done. SLUICE_MAKE_HALF_DONE=NAME creates the fixtures with the current
 * build, on a server of the version of `pg_dump`.
 */
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { perform, placeOn } from '../support/copy-systems.ts'
import { startFollowServer } from '../support/follow-stage.ts'
import { dumpDatabase, loadDatabases } from '../support/half-done/dumps.ts'
import { KINDS, type Kind, type Sides } from '../support/half-done/postgresql.ts'
import { FIXTURES, NEWEST } from '../support/half-done/room.ts'
import { POSTGRES_MISSING, POSTGRES_OWN, type PostgresServer } from '../support/servers/postgresql.ts'

const NEW = process.env['SLUICE_MAKE_HALF_DONE'] ?? ''

describe.skipIf(!POSTGRES_OWN)(`half-done work in PostgreSQL ${POSTGRES_MISSING}`, () => {
  let server: PostgresServer
  beforeAll(async () => {
    server = await startFollowServer()
  })
  afterAll(async () => {
    await server?.[Symbol.asyncDispose]()
  })

  const fixtures = ({ databases }: Kind, version: string): readonly string[] =>
    databases.map((name) => join(FIXTURES, version, name))

  test.runIf(NEW !== '').for(Object.entries(KINDS))(
    '%s: fixture is created',
    { timeout: 120_000 },
    async ([, kind]) => {
      const source = await placeOn('postgresql', server.url())
      const sides = { source, target: kind.databases.length === 1 ? source : await placeOn('postgresql', server.url()) }
      const [first = '', second] = fixtures(kind, NEW)
      let isWritten = false
      const written = async (): Promise<void> => {
        isWritten = true
        await dumpDatabase(source, first)
      }
      await kind.leave(sides, written)
      if (!isWritten) await written()
      if (second !== undefined) await dumpDatabase(sides.target, second)
    },
  )

  test.for(Object.entries(KINDS))('%s is completed by the same command', { timeout: 120_000 }, async ([, kind]) => {
    const [source, target = source] = await loadDatabases(server, fixtures(kind, NEWEST), kind.told)
    if (source === undefined || target === undefined) throw new Error('no database')
    const sides: Sides = { source, target }
    await source.sql(...(kind.later ?? []))
    for (const _ of [1, 2]) {
      const { finished } = await perform(await kind.again(sides))
      expect([finished.error, finished.exitCode]).toEqual([undefined, 0])
      await kind.judge(sides)
    }
  })
})
