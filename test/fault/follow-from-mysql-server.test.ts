/**
 * A MariaDB source that crashes before its log is on disk, and servers on which triggers would not record every change.
 */
import { afterEach, describe, expect, test } from 'vitest'
import type { Change } from '../../src/model/copy/change.ts'
import type { ChangeSource, ChangeStream, FollowedTable } from '../../src/model/follow/port.ts'
import type { CopyStore } from '../../src/model/copy/port.ts'
import { openMysqlCopy } from '../../src/stores/mysql/copy/index.ts'
import { placeOn, type Place } from '../support/copy-systems.ts'
import { MARIADB_AVAILABLE, MARIADB_MISSING, startMariadb, type MariadbServer } from '../support/servers/mariadb.ts'
import { columnsOf, SIGNAL, tableOf } from '../real/copy-mysql-kit.ts'

const NAME = 'sluice_77'

let server: MariadbServer | undefined

afterEach(async () => {
  await server?.stop()
  server = undefined
})

type Staged = {
  readonly place: Place
  readonly source: ChangeSource
  readonly tables: readonly FollowedTable[]
} & AsyncDisposable

async function staged(one: MariadbServer): Promise<Staged> {
  const place = await placeOn('mysql', one.url())
  await place.sql('CREATE TABLE t (id INT PRIMARY KEY, v INT)', 'INSERT INTO t SELECT seq, 0 FROM seq_1_to_100')
  const store = await openMysqlCopy(place.url)
  const source = triggersOf(store)
  const table = await tableOf(store, 't')
  const tables = [{ table, columns: columnsOf(table), identity: table.key }]
  return { place, source, tables, [Symbol.asyncDispose]: () => store[Symbol.asyncDispose]() }
}

function triggersOf(store: CopyStore): ChangeSource {
  const source = store.offers.triggerChanges?.()
  if (source === undefined) throw new Error('tells no changes')
  return source
}

function endOf(changes: readonly Change[]): bigint {
  const end = changes.find((change) => change.type === 'commit')
  if (end?.type !== 'commit') throw new Error('no transaction was told')
  return end.end
}

async function untilCommit(stream: ChangeStream): Promise<readonly Change[]> {
  const all: Change[] = []
  while (!all.some(({ type }) => type === 'commit')) all.push(...(await stream.next(50)))
  return all
}

describe.skipIf(!MARIADB_AVAILABLE)(`a MariaDB server whose changes triggers record ${MARIADB_MISSING}`, () => {
  test(
    'halts the stream after a crash if, and only if, it has lost changes that it had already reported',
    { timeout: 60_000 },
    async () => {
      // Commits may stay in memory until a flush. A log in a memory file system loses nothing; with TMPDIR on a disk
      // this test halts the stream.
      const more = ['--innodb-flush-log-at-trx-commit=0', '--innodb-flush-log-at-timeout=2700']
      server = await startMariadb({ more })
      await using one = await staged(server)
      const startRecord = await one.source.begin(NAME, one.tables, SIGNAL)
      let applied = 0n
      for (let crash = 1; crash <= 3; crash++) {
        await using store = await openMysqlCopy(one.place.url)
        const source = triggersOf(store)
        await using stream = await source.open(startRecord, one.tables, applied, SIGNAL)
        await one.place.sql(`UPDATE t SET v = ${crash} WHERE id = ${crash}`)
        applied = endOf(await untilCommit(stream))
        await server.kill9()
        await server.restart()
        const [[kept] = []] = await one.place.rows(`SELECT v FROM t WHERE id = ${crash}`)
        await using after = await openMysqlCopy(one.place.url)
        const again = triggersOf(after)
        const { faults } = await again.verify(startRecord, one.tables, applied, SIGNAL)
        if (kept === String(crash)) expect(faults).toEqual([])
        else {
          expect(faults).toMatchObject([
            { code: 'OTHER_SERVER', message: expect.stringMatching(/or it crashed before/) },
          ])
          await expect(again.open(startRecord, one.tables, applied, SIGNAL)).rejects.toMatchObject({ retryable: true })
          // Later catch-up positions do not hide the loss.
          for (let i = 0; i < 5; i++) await again.fence(SIGNAL)
          expect((await again.verify(startRecord, one.tables, applied, SIGNAL)).faults).toHaveLength(1)
          return
        }
      }
    },
  )

  test('is refused if it logs statements, is a replica, or is read-only', { timeout: 60_000 }, async () => {
    server = await startMariadb({ more: ['--log-bin', '--binlog-format=STATEMENT', '--server-id=7'] })
    await using one = await staged(server)
    await one.place.sql(
      "CREATE USER maker@'%' IDENTIFIED BY 'word'",
      "GRANT ALL ON *.* TO maker@'%'",
      "REVOKE SUPER ON *.* FROM maker@'%'",
      "CHANGE MASTER TO MASTER_HOST = '127.0.0.1', MASTER_USER = 'nobody'",
    )
    const url = new URL(one.place.url)
    url.username = 'maker'
    url.password = 'word'
    await using store = await openMysqlCopy(url.href)
    const { refusals } = await triggersOf(store).inspect(one.tables, SIGNAL)
    expect(refusals.map(({ message }) => message)).toEqual([
      expect.stringMatching(/may not create triggers on a server that writes a binary log/),
      expect.stringMatching(/binlog_format = STATEMENT/),
      expect.stringMatching(/is a replica of another one/),
    ])
    await one.place.sql('RESET SLAVE ALL', "SET GLOBAL binlog_format = 'ROW'", 'SET GLOBAL read_only = 1')
    const again = await one.source.inspect(one.tables, SIGNAL)
    expect(again.refusals.map(({ message }) => message)).toEqual([expect.stringMatching(/read_only, as replicas are/)])
    await one.place.sql('SET GLOBAL read_only = 0')
    // With a row-based log.
    const startRecord = await one.source.begin(NAME, one.tables, SIGNAL)
    await using stream = await one.source.open(startRecord, one.tables, 0n, SIGNAL)
    await one.place.sql('UPDATE t SET v = 5 WHERE id < 4')
    expect(await untilCommit(stream)).toHaveLength(5)
    await one.source.end(NAME, SIGNAL)
  })
})
