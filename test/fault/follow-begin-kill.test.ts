/**
 * Programs that are killed at each step while a stream begins: the next program begins it again, and nothing else is
 * left.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chownSync, statSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { StreamStart } from '../../src/model/follow/port.ts'
import { openPostgresCopy } from '../../src/stores/postgresql/copy/index.ts'
import { psql, SIGNAL, type Psql } from '../real/copy-postgresql-kit.ts'
import { changesOf, keyed, LOGICAL } from '../real/follow-source-kit.ts'
import { POSTGRES_OWN, startPostgres, type PostgresServer } from '../support/servers/postgresql.ts'

const PROGRAM = resolve(import.meta.dirname, 'follow-begin-child.mjs')
const NAME = 'sluice_17'
const STEPS = ['DROP PUBLICATION', 'CREATE PUBLICATION', 'pg_create_logical_replication_slot']

describe.skipIf(!POSTGRES_OWN)('programs that are killed while a stream begins (needs a server of its own)', () => {
  let server: PostgresServer
  let sql: Psql

  beforeAll(async () => {
    server = await startPostgres({ extraSettings: LOGICAL })
    sql = await psql(server.url())
    await sql.run('CREATE TABLE plain (id int PRIMARY KEY)')
  })

  afterAll(async () => {
    await sql?.close()
    await server?.[Symbol.asyncDispose]()
  })

  async function child(
    step: number,
    when: string,
  ): Promise<{ readonly killed: boolean; readonly steps: readonly string[] }> {
    const options = { url: server.url(), name: NAME, table: 'plain', step, when }
    const program = spawn(process.execPath, [PROGRAM], {
      env: { ...process.env, SLUICE_CHILD: JSON.stringify(options) },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    let [said, complaint] = ['', '']
    program.stdout.on('data', (data: Buffer) => (said += data.toString()))
    program.stderr.on('data', (data: Buffer) => (complaint += data.toString()))
    await once(program, 'close')
    if (program.signalCode === null && program.exitCode !== 0) throw new Error(complaint)
    const { steps = [] } = said === '' ? {} : (JSON.parse(said) as { steps?: readonly string[] })
    return { killed: program.signalCode === 'SIGKILL', steps }
  }

  async function beginsAnew(): Promise<void> {
    await using store = await openPostgresCopy(server.url())
    const source = changesOf(store)
    const tables = await keyed(store, 'plain')
    const startRecord = await source.begin(NAME, tables, SIGNAL)
    expect(await source.verify(startRecord, tables, source.position(startRecord.start), SIGNAL)).toEqual({
      faults: [],
      moved: {},
      unclear: [],
    })
    expect(await source.slots(SIGNAL)).toMatchObject([{ name: NAME, active: false, confirmed: startRecord.start }])
    expect(await sql.rows('SELECT pubname FROM pg_publication')).toEqual([[NAME]])
    await source.end(NAME, SIGNAL)
    expect(await source.slots(SIGNAL)).toEqual([])
    expect(await sql.rows('SELECT pubname FROM pg_publication')).toEqual([])
  }

  test('a start has these steps', async () => {
    expect(await child(0, 'before')).toEqual({ killed: false, steps: STEPS })
    await beginsAnew()
  })

  test.for([2, 3].flatMap((step) => ['before', 'after'].map((when) => [step, when] as const)))(
    'a start killed at step %i, %s is repeated, and nothing is left',
    async ([step, when]) => {
      expect(await child(step, when)).toMatchObject({ killed: true })
      await beginsAnew()
    },
  )

  test('a start killed while the server waits for a transaction with the slot is repeated', async () => {
    const writer = await psql(server.url())
    await writer.run('BEGIN; INSERT INTO plain VALUES (1)')
    expect(await child(3, 'during')).toMatchObject({ killed: true })
    // The server continues the abandoned statement until it checks the connection.
    expect(await sql.rows('SELECT active FROM pg_replication_slots')).toEqual([['t']])
    const again = beginsAnew()
    for (let i = 0; i < 300; i++) {
      const [row] = await sql.rows(
        "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%pg_create_logical%' AND pid <> pg_backend_pid() AND state = 'active'",
      )
      if (row?.[0] === '0') break
      await new Promise((done) => setTimeout(done, 20))
    }
    await writer.run('COMMIT')
    await again
    await writer.close()
  })

  test('a server that crashed is the same server, and a restored server is another one', async () => {
    await using own = await startPostgres({ extraSettings: [...LOGICAL, 'restore_command=false'], fsync: true })
    const setup = await psql(own.url())
    await setup.run('CREATE TABLE plain (id int PRIMARY KEY)')
    await setup.close()
    const faults = async (startRecord: StreamStart): Promise<unknown[]> => {
      await using store = await openPostgresCopy(own.url())
      const source = changesOf(store)
      const state = await source.verify(
        startRecord,
        await keyed(store, 'plain'),
        source.position(startRecord.start),
        SIGNAL,
      )
      return state.faults.map(({ code, message }) => `${code}: ${message}`)
    }
    let startRecord: StreamStart
    {
      await using store = await openPostgresCopy(own.url())
      startRecord = await changesOf(store).begin(NAME, await keyed(store, 'plain'), SIGNAL)
    }
    await own.kill9()
    await own.restart()
    expect(await faults(startRecord)).toEqual([])
    await own.stop()
    // Recovers to the end of its WAL, and continues in a new timeline.
    writeFileSync(join(own.dataFolder, 'recovery.signal'), '')
    const { uid, gid } = statSync(own.dataFolder)
    chownSync(join(own.dataFolder, 'recovery.signal'), uid, gid)
    await own.restart()
    expect(await faults(startRecord)).toEqual([
      expect.stringMatching(/^OTHER_SERVER: the server writes another timeline.*timeline 00000002/),
    ])
  })
})
