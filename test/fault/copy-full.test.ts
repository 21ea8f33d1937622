/**
 * The target's disk is full in the middle of a copy: the error names this, and the same command continues once there is
 * free space.
 */
import { chownSync, mkdirSync, mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { copyOf, makePlace, perform, placeOn, type Place } from '../support/copy-systems.ts'
import { MOUNT_MISSING, smallDisk, type Disk } from '../support/small-disk.ts'
import { POSTGRES_MISSING, POSTGRES_OWN, startPostgres } from '../support/servers/postgresql.ts'
import { ALL } from '../support/backend.ts'
import { ledgerProblems } from '../support/copy-ledger.ts'
import { SYSTEMS, titleOf } from './server-kit.ts'
import { expectDone, of, startCopy, type Copied } from './copy-kit.ts'

const MB = 2 ** 20
const ROWS = 3000
const SELECT = 'SELECT id, name FROM t ORDER BY id'

describe.skipIf(MOUNT_MISSING !== '')(
  `a full disk${MOUNT_MISSING === '' ? '' : ` (skipped: ${MOUNT_MISSING})`}`,
  () => {
    let folder = ''
    let source: Place

    beforeAll(async () => {
      folder = mkdtempSync(join(tmpdir(), 'sluice-copy-full-'))
      source = await makePlace('sqlite', folder)
      // 12 MB that no system can compress.
      await source.sql(
        'CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT)',
        `WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${ROWS}) INSERT INTO t SELECT i, hex(randomblob(2000)) FROM n`,
      )
    })
    afterAll(() => rmSync(folder, { recursive: true, force: true }))

    const copied = (target: Place): Copied => {
      const copy = copyOf(source, target, 't', { chunkRows: 300 })
      return { copy, source, target, table: 't', select: SELECT }
    }

    async function expectFullThenDone(target: Place, disk: Disk, room: number, code = /^NO_SPACE$/): Promise<void> {
      const done = copied(target)
      disk.resize(disk.used() + room)
      const { finished, events } = await perform(done.copy)
      expect(finished).toMatchObject({ exitCode: 4, status: 'failed', error: { code: expect.stringMatching(code) } })
      expect(of(events, 'row.aside')).toEqual([])
      disk.resize(100 * MB + disk.used())
      const again = await perform(done.copy)
      expect(again.finished).toMatchObject({ exitCode: 0, totals: { written: String(ROWS) } })
      await expectDone(done)
    }

    test('a copy into SQLite resumes after a full disk in its middle', { timeout: 60_000 }, async () => {
      using disk = smallDisk(100 * MB)
      await expectFullThenDone(await makePlace('sqlite', disk.path), disk, 5 * MB)
    })

    test('a copy into SQLite resumes after a full disk before its ledger exists', { timeout: 60_000 }, async () => {
      using disk = smallDisk(100 * MB)
      await expectFullThenDone(await makePlace('sqlite', disk.path), disk, 0.02 * MB, /^(?:NO_SPACE|TARGET_IO)$/)
    })

    /**
     * Every row is refused, so that the quarantine fills the disk; with so few rows per chunk, only the quarantine and
     * the ledger use space.
     */
    async function expectAllAside(target: Place, disk: Disk, room: number): Promise<void> {
      await target.sql('CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT CHECK (id > 100000))')
      const copy = copyOf(source, target, 't', { chunkRows: 10, maxAside: ROWS, where: 'id <= 600' })
      disk.resize(disk.used() + room)
      // In its own process: space that it reserved is free once it has ended.
      const { finished } = await startCopy(copy).ended
      expect(finished).toMatchObject({ exitCode: 4, status: 'failed', error: { code: 'NO_SPACE' } })
      disk.resize(100 * MB + disk.used())
      const again = await perform(copy)
      expect(again.finished).toMatchObject({
        exitCode: 1,
        error: { code: 'ROWS_ASIDE' },
        totals: { read: '600', written: '0', quarantined: '600' },
      })
      expect(await ledgerProblems(target, 't', 0)).toEqual([])
      expect(await target.rows('SELECT count(*), count(DISTINCT row_key) FROM migration_quarantine')).toEqual([
        ['600', '600'],
      ])
    }

    // One size per stage: while the ledger is created, while chunks are recorded, while rows are quarantined.
    test.for(ALL ? [0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5] : [0.15, 0.3])(
      'a copy into SQLite resumes after %f MB for ledger and quarantine were full',
      { timeout: 60_000 },
      async (room) => {
        using disk = smallDisk(100 * MB)
        await expectAllAside(await makePlace('sqlite', disk.path), disk, room * MB)
      },
    )

    test('a copy into DuckDB resumes after a full disk in its middle', { timeout: 60_000 }, async () => {
      using disk = smallDisk(100 * MB)
      await expectFullThenDone(await makePlace('duckdb', disk.path), disk, 5 * MB)
    })

    test.skipIf(!POSTGRES_OWN)(
      `PostgreSQL: a copy resumes after a full disk of its tables${POSTGRES_OWN ? '' : ` (skipped: ${POSTGRES_MISSING})`}`,
      { timeout: 60_000 },
      async () => {
        await using server = await startPostgres()
        using disk = smallDisk(100 * MB)
        // The WAL is on another disk, as recommended: a full disk fails a statement then, and not the server.
        const tables = join(disk.path, 'tables')
        mkdirSync(tables)
        const { uid, gid } = statSync(server.dataFolder)
        chownSync(tables, uid, gid)
        const [target, other] = [await placeOn('postgresql', server.url()), await placeOn('postgresql', server.url())]
        const name = new URL(target.url).pathname.slice(1)
        await other.sql(`CREATE TABLESPACE small LOCATION '${tables}'`, `ALTER DATABASE ${name} SET TABLESPACE small`)
        await expectFullThenDone(target, disk, 6 * MB)
      },
    )

    // The server's log is on the same disk, so the server itself may end.
    for (const system of SYSTEMS) {
      test.skipIf(!ALL || system.missing !== '')(
        titleOf('under everything', system),
        { timeout: 120_000 },
        async () => {
          using disk = smallDisk(400 * MB)
          await using server = await system.start(disk.path)
          const url = new URL(await server.room('crowded'))
          url.search = ''
          const target = await placeOn(system.title === 'PostgreSQL' ? 'postgresql' : 'mysql', url.href)
          const done = copied(target)
          disk.resize(disk.used() + 6 * MB)
          const quick = { ...done.copy, to: `${target.url}?retry_seconds=2&connect_timeout=2` }
          const { finished, events } = await startCopy(quick).ended
          expect(finished).toMatchObject({
            exitCode: 4,
            status: 'failed',
            error: { code: expect.stringMatching(/^(?:NO_SPACE|CONNECTION_LOST|CONNECT_FAILED)$/) },
          })
          expect(of(events, 'row.aside')).toEqual([])
          disk.resize(400 * MB)
          await server.kill9()
          await server.restart()
          expect((await perform(done.copy)).finished).toMatchObject({ exitCode: 0, totals: { written: String(ROWS) } })
          await expectDone(done)
        },
      )
    }
  },
)
