/**
 * The source's server is killed, or the connection to it is cut, while partitions are archived, dropped and restored.
 */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  commandsOf,
  countedBy,
  countOf,
  makeBookings,
  observe,
  TABLE,
  type Archived,
} from '../support/archive-places.ts'
import { openCopyStore } from '../../src/engine/copy/open-stores.ts'
import { NEVER } from '../../src/shared/abort.ts'
import { ALL, someOf } from '../support/backend.ts'
import { perform, placeOn } from '../support/copy-systems.ts'
import { POSTGRES_MISSING, POSTGRES_OWN, startPostgres, type PostgresServer } from '../support/servers/postgresql.ts'
import { MARIADB_MISSING, startMariadb } from '../support/servers/mariadb.ts'
import { startProxy } from '../support/servers/proxy.ts'
import { startArchiver, untilStill } from './archive-kit.ts'
import type { Operation } from '../../src/app/operations/list.ts'

const why = POSTGRES_MISSING || 'SLUICE_TEST_POSTGRES_URL names a server that is not ours to kill'
type Stage = 'run' | 'drop' | 'restore'

describe.skipIf(!POSTGRES_OWN)(`a server that is killed${POSTGRES_OWN ? '' : ` (skipped: ${why})`}`, () => {
  let folder = ''
  let server: PostgresServer

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'sluice-archive-server-'))
    server = await startPostgres({ fsync: true })
  })
  afterAll(async () => {
    await server?.[Symbol.asyncDispose]()
    rmSync(folder, { recursive: true, force: true })
  })

  async function fresh(stage: Stage): Promise<Archived> {
    const place = await placeOn('postgresql', server.url())
    const archived = await makeBookings(place, 'native', mkdtempSync(join(folder, 'to-')))
    const { run, drop } = commandsOf(archived)
    const before = { run: [], drop: [run], restore: [run, drop] }[stage]
    for (const one of before) expect((await perform(one)).finished).toMatchObject({ exitCode: 0 })
    return archived
  }

  /** A crash empties UNLOGGED tables, so rows in one do not count as a copy. */
  test.for(['native', 'plain'] as const)(
    '%s, UNLOGGED: no file is removed while its rows are only in a table that a crash empties',
    { timeout: 240_000 },
    async (form) => {
      const place = await placeOn('postgresql', server.url())
      const archived = await makeBookings(place, form, mkdtempSync(join(folder, 'to-')), 60)
      const { run, drop, restore, query, verify } = commandsOf(archived)
      const first = form === 'plain' ? 'bookings' : 'bookings_0'
      const ended = async (operation: Operation): Promise<string> => {
        const { finished, events } = await perform(operation)
        return `${finished.error?.code ?? 'ok'} ${JSON.stringify(events)}`
      }
      const crash = async (): Promise<void> => {
        await server.kill9()
        await server.restart()
      }
      await place.sql(`ALTER TABLE ${first} SET UNLOGGED`)
      const all = (await countedBy(query)).counted
      expect(await ended(run)).toMatch(/^ok .*is UNLOGGED/)
      const one = { ...restore, partitions: ['2020-Q1'] } as Operation
      const refused = /^TABLE_REFUSED .*is UNLOGGED.*SET LOGGED/
      // The detached table is still UNLOGGED, so it must not become the only copy.
      expect(await ended(one)).toMatch(refused)
      expect(await ended(drop)).toMatch(/^ok/)
      if (form === 'plain') {
        expect(await ended(one)).toMatch(refused)
        expect(await ended({ ...one, dryRun: true } as Operation)).toMatch(/is UNLOGGED/)
        await crash()
        expect(await ended(verify)).toMatch(/^ok/)
        await place.sql(`ALTER TABLE ${first} SET LOGGED`)
      }
      // A recreated partition is not UNLOGGED.
      expect(await ended(one)).toMatch(form === 'plain' ? /^ok/ : /^ok .*not restored: UNLOGGED/)
      await crash()
      const kept = (await countedBy(query)).counted
      expect(kept).toBe(form === 'plain' ? '120 6003540' : all)
      expect(await place.rows(`SELECT count(*) FROM bookings WHERE at < '2020-04-01'`)).toEqual([['60']])
    },
  )

  const parquetOf = (archive: string): readonly string[] =>
    readdirSync(archive, { recursive: true })
      .map(String)
      .filter((name) => name.endsWith('.parquet') && !name.startsWith('_delta_log'))

  /**
   * A backup of the server is restored while a program continues with a newer state of the ledger: the files that it is
   * about to remove are the only copy again.
   */
  test.for(['sweep', 'erase'] as const)(
    'a backup that is restored in the middle of %s stops it from removing further files',
    { timeout: 240_000 },
    async (what) => {
      const archived = await fresh('restore')
      const { place, archive } = archived
      const { restore, sweep, query, verify } = commandsOf(archived)
      const all = (await countedBy(query)).counted
      const backup = join(folder, `backup-${what}`)
      await server.stop()
      execFileSync('cp', ['-a', server.dataFolder, backup])
      await server.restart()
      expect((await perform(restore)).finished).toMatchObject({ exitCode: 0 })
      await place.sql('UPDATE migration_archives SET retention_ms = 0')
      const erase: Operation = {
        kind: 'archive-erase',
        from: place.url,
        table: TABLE,
        where: 'id = 200001',
        reason: 'T-1',
        confirm: TABLE,
        dryRun: false,
      }
      expect(parquetOf(archive)).toHaveLength(2)
      const archiver = startArchiver({ sweep, erase }[what], { at: 'unlink ', when: 'frozen' })
      await untilStill(archiver)
      await server.kill9()
      rmSync(server.dataFolder, { recursive: true })
      execFileSync('cp', ['-a', backup, server.dataFolder])
      await server.restart()
      archiver.process.kill('SIGCONT')
      const { finished } = await archiver.ended
      expect(finished?.error?.code).toMatch(/^(?:ARCHIVE_FOREIGN|CONNECTION_LOST)$/)
      // The first file that an erasure removes is a commit of the log; a sweep had already begun to remove its first
      // file.
      expect(parquetOf(archive)).toHaveLength(what === 'erase' ? 2 : 1)
      if (what === 'sweep') return
      const adopt: Operation = {
        kind: 'archive-adopt',
        from: place.url,
        table: TABLE,
        confirm: TABLE,
        accept: [],
        dryRun: false,
      }
      expect((await perform(adopt)).finished.error).toBeUndefined()
      expect((await perform(verify)).finished.error).toBeUndefined()
      expect((await perform(restore)).finished.error).toBeUndefined()
      expect((await countedBy(query)).counted).toBe(all)
    },
  )

  const POINTS: readonly (readonly [Stage, string])[] = [
    ['run', 'COMMIT state DETACHED'],
    ...(ALL
      ? ([
          ['run', 'parquet'],
          ['run', 'link '],
          ['run', 'DETACH PARTITION'],
          ['drop', 'DROP TABLE'],
          ['restore', 'ADD CONSTRAINT'],
          ['restore', 'COMMIT state RESTORED'],
        ] as const)
      : []),
  ]

  test.for(POINTS)(
    'a server that is killed during %s, at %s loses no row',
    { timeout: 120_000 },
    async ([stage, at]) => {
      const archived = await fresh(stage)
      const commands = commandsOf(archived)
      const hot = await (async () => {
        await using observer = await observe(archived)
        return stage === 'run' ? observer.expected : null
      })()
      const archiver = startArchiver(commands[stage], { at, when: 'frozen' })
      await untilStill(archiver)
      await server.kill9()
      await server.restart()
      archiver.process.kill('SIGCONT')
      const { finished } = await archiver.ended
      if (finished?.exitCode !== 0) {
        expect(finished?.error?.code).toMatch(
          /^(?:CONNECTION_LOST|CONNECT_FAILED|COMMIT_UNKNOWN|SOURCE_IO|TABLES_FAILED)$/,
        )
      }
      await using observer = await observe(archived)
      if (hot !== null) observer.expected = hot
      if (hot !== null) expect((await observer.look()).problems).toEqual([])
      expect((await perform(commands[stage])).finished).toMatchObject({ exitCode: 0 })
      if (hot === null) return
      const { problems, states } = await observer.look()
      expect(problems).toEqual([])
      expect(Object.values(states)).toEqual(['DETACHED', 'DETACHED'])
      expect((await countedBy(commands.query)).counted).toBe(countOf(hot))
    },
  )

  test(
    'a server that is a standby for a while, as in a failover: steps are retried until it is promoted',
    { timeout: 120_000 },
    async () => {
      const archived = await fresh('run')
      const { run, query } = commandsOf(archived)
      const all = (await countedBy(query)).counted
      let refusals = 0
      let turned = Promise.resolve()
      let isDemoted = false
      const { finished } = await perform(run, {
        onEvent: (event) => {
          if (!isDemoted && event.type === 'archive.state' && event.state === 'PUBLISHED') {
            isDemoted = true
            turned = server.demote()
          }
          if (event.type !== 'log' || !event.message.includes('Permission denied; trying again')) return
          // More refusals than the retry limit for a busy table.
          if (++refusals === 6) turned = turned.then(async () => server.promote())
        },
      })
      await turned
      expect(refusals).toBeGreaterThanOrEqual(6)
      expect(finished.error).toBeUndefined()
      expect((await countedBy(query)).counted).toBe(all)
    },
  )

  const CUTS = [
    ['run', 'COPY (SELECT'],
    ['run', 'DETACH PARTITION'],
  ] as const

  test.for(someOf(CUTS, 2))(
    'a connection that is cut during %s, at %s loses no row',
    { timeout: 120_000 },
    async ([stage, at]) => {
      const archived = await fresh(stage)
      await using observer = await observe(archived)
      await using proxy = await startProxy(server.port)
      const commands = commandsOf(archived)
      const through = new URL(archived.place.url)
      through.port = String(proxy.port)
      let cuts = 0
      proxy.onClientData((data, connection) => {
        if (cuts > 0 || !data.includes(at)) return
        cuts++
        connection.cut()
      })
      const command = { ...commands[stage], from: through.href } as Operation
      const { result, problems } = await observer.watch(perform(command))
      expect(cuts).toBe(1)
      expect(problems).toEqual([])
      if (result.finished.exitCode !== 0) {
        expect((await observer.watch(perform(command))).result.finished).toMatchObject({ exitCode: 0 })
      }
      expect(await observer.look()).toEqual({ problems: [], states: { '2020-Q1': 'DETACHED', '2020-Q2': 'DETACHED' } })
      // Another address of the same database is the same database.
      expect((await perform(commands.drop)).finished.error).toBeUndefined()
      expect((await observer.look()).problems).toEqual([])
      expect((await perform(commands.restore)).finished.error).toBeUndefined()
      expect(await observer.live()).toEqual(observer.expected)
    },
  )
})

describe.skipIf(MARIADB_MISSING !== '')(
  `a MariaDB server that crashes${MARIADB_MISSING === '' ? '' : ` (skipped: ${MARIADB_MISSING})`}`,
  () => {
    test(
      'acknowledged commits are durable once the store reports it; rows in MyISAM or MEMORY do not count as a copy',
      { timeout: 240_000 },
      async () => {
        const folder = mkdtempSync(join(tmpdir(), 'sluice-archive-mariadb-'))
        await using server = await startMariadb({ more: ['--innodb-flush-log-at-trx-commit=0'] })
        const place = await placeOn('mysql', server.url())
        const archived = await makeBookings(place, 'plain', join(folder, 'to'), 60)
        const { run, drop, restore } = commandsOf(archived)
        expect((await perform(run)).finished).toMatchObject({ exitCode: 0 })
        expect((await perform(drop)).finished).toMatchObject({ exitCode: 0 })
        const one = { ...restore, partitions: ['2020-Q1'] } as Operation
        // The index of a key in MEMORY is a hash by default.
        await place.sql('ALTER TABLE bookings DROP PRIMARY KEY, ADD PRIMARY KEY (id) USING BTREE')
        for (const engine of ['MyISAM', 'MEMORY']) {
          await place.sql(`ALTER TABLE bookings ENGINE = ${engine}`)
          const message = expect.stringContaining(`is a table of ${engine}`) as string
          expect((await perform(one)).finished.error).toMatchObject({ code: 'TABLE_REFUSED', message })
          const planned = await perform({ ...one, dryRun: true } as Operation)
          expect(JSON.stringify(planned.events)).toContain(`is a table of ${engine}`)
        }
        await place.sql('ALTER TABLE bookings ENGINE = InnoDB')
        expect((await perform(one)).finished).toMatchObject({ exitCode: 0 })
        const lsn = async (which: string): Promise<bigint> =>
          BigInt((await place.rows(`SHOW GLOBAL STATUS LIKE 'Innodb_lsn_${which}'`))[0]?.[1] ?? '')
        // With the RELOAD privilege, the server is asked to flush its log; without it, the program waits.
        const mere = new URL(place.url)
        mere.username = 'mere'
        mere.password = 'mere'
        await place.sql(
          `CREATE USER mere@'%' IDENTIFIED BY 'mere'`,
          `GRANT ALL ON ${mere.pathname.slice(1)}.* TO mere@'%'`,
        )
        for (const [i, url] of [place.url, mere.href].entries()) {
          await using store = await openCopyStore(url, { mode: 'write' })
          await place.sql(`INSERT INTO bookings VALUES (${900_000 + i}, '2090-05-05 00:00:00', 'x', 1)`)
          const committed = await lsn('current')
          await store.offers.durability?.flushed(NEVER.abort)
          expect(await lsn('flushed')).toBeGreaterThanOrEqual(committed)
        }
        await server.kill9()
        await server.restart()
        expect(await place.rows('SELECT count(*) FROM bookings WHERE id >= 900000')).toEqual([['2']])
        expect(await place.rows("SELECT count(*) FROM bookings WHERE at < '2020-04-01'")).toEqual([['60']])
        rmSync(folder, { recursive: true, force: true })
      },
    )
  },
)
