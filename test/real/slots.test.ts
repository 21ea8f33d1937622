/** `sluice slots`: WAL that replication slots of a source retain, and the removal of a slot. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Operation } from '../../src/app/operations/list.ts'
import { openPostgresCopy } from '../../src/stores/postgresql/copy/index.ts'
import { perform, type Ran } from '../support/copy-systems.ts'
import { POSTGRES_MISSING, POSTGRES_OWN, startPostgres, type PostgresServer } from '../support/servers/postgresql.ts'
import { psql, SIGNAL, type Psql } from './copy-postgresql-kit.ts'
import { changesOf, keyed, LOGICAL } from './follow-source-kit.ts'

const OURS = 'sluice_1763625990000000000'

describe.skipIf(!POSTGRES_OWN)(`replication slots of a source ${POSTGRES_MISSING}`, () => {
  let server: PostgresServer
  let sql: Psql

  beforeAll(async () => {
    server = await startPostgres({ extraSettings: LOGICAL })
    sql = await psql(server.url())
    await sql.run('CREATE TABLE t (id int PRIMARY KEY)')
    await sql.run("SELECT pg_create_physical_replication_slot('standby')")
    await using store = await openPostgresCopy(server.url())
    await changesOf(store).begin(OURS, await keyed(store, 't'), SIGNAL)
  })

  afterAll(async () => {
    await sql?.close()
    await server?.[Symbol.asyncDispose]()
  })

  const slots = (more: Partial<Extract<Operation, { kind: 'slots' }>> = {}, database = 'postgres'): Promise<Ran> =>
    perform({ kind: 'slots', from: server.url(database), dryRun: false, ...more })
  const rowsOf = ({ events }: Ran): unknown[] => events.flatMap((event) => (event.type === 'slot' ? [event] : []))

  test('are listed', async () => {
    const ran = await slots()
    expect(ran.finished).toMatchObject({ exitCode: 0, totals: { slots: '2' } })
    expect(rowsOf(ran)).toMatchObject([
      {
        slot: OURS,
        plugin: 'pgoutput',
        database: 'postgres',
        active: false,
        status: 'reserved',
        run: '1763625990000000000',
        safe: null,
      },
      { slot: 'standby', plugin: null, database: null, active: false, status: null, held: null, confirmed: null },
    ])
  })

  test('are removed by name with a confirmation, and never while a session reads them', async () => {
    expect((await slots({ drop: 'nothing' })).finished.error).toMatchObject({ code: 'BAD_FLAG' })
    expect((await slots({ drop: OURS })).finished.error).toMatchObject({ code: 'MISSING_CONFIRM' })
    expect((await slots({ drop: OURS, confirm: 'standby' })).finished.error).toMatchObject({ code: 'MISSING_CONFIRM' })
    expect((await slots({ drop: OURS, dryRun: true })).finished.totals).toEqual({ slots: '1', removed: '0' })
    await server.createDatabase('elsewhere')
    expect((await slots({ drop: OURS, confirm: OURS }, 'elsewhere')).finished.error).toMatchObject({
      code: 'BAD_FLAG',
      hint: expect.stringContaining('database postgres') as string,
    })

    await using store = await openPostgresCopy(server.url())
    const source = changesOf(store)
    const tables = await keyed(store, 't')
    const startRecord = {
      slot: OURS,
      publication: OURS,
      facts: { 'slot.database': 'postgres' },
      start: '0/0',
      shapes: {},
    }
    const [line] = await source.slots(SIGNAL)
    const stream = await source.open(startRecord, tables, source.position(line?.confirmed ?? ''), SIGNAL)
    expect((await slots({ drop: OURS, confirm: OURS })).finished.error).toMatchObject({ code: 'SLOT_ACTIVE' })
    await stream[Symbol.asyncDispose]()

    expect((await slots({ drop: OURS, confirm: OURS })).finished).toMatchObject({
      exitCode: 0,
      totals: { removed: '1' },
    })
    expect(await sql.rows('SELECT pubname FROM pg_publication')).toEqual([])
    expect((await slots({ drop: 'standby', confirm: 'standby' })).finished.exitCode).toBe(0)
    expect(rowsOf(await slots())).toEqual([])
  })

  test('exist in PostgreSQL only', async () => {
    const ran = await perform({ kind: 'slots', from: 'sqlite::memory:', dryRun: false })
    expect(ran.finished.exitCode).not.toBe(0)
  })
})
