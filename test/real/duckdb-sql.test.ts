import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Operation } from '../../src/app/operations/list.ts'
import { runOperation } from '../../src/app/run.ts'
import { NEVER } from '../../src/shared/abort.ts'
import { systemClock } from '../../src/shared/clock.ts'
import { SluiceError } from '../../src/shared/errors.ts'
import { openDuckdb } from '../../src/stores/duckdb/sql-database.ts'
import type { SqlRow } from '../../src/model/run/sql-port.ts'
import { add, METADATA, PROTOCOL, writeLog } from '../support/catalog-kit.ts'
import { importOf, perform } from './operation-kit.ts'

let folder: string
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'sluice-duckdb-test-'))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** A query that gives a million rows and then fails. */
const FAILS_LATE = `SELECT CASE WHEN i = 1000000 THEN error('boom on purpose') ELSE i END AS i FROM range(2000000) t(i)`

const codeOf = (thrown: unknown): string => (thrown instanceof SluiceError ? thrown.code : String(thrown))

describe('DuckDB as a SQL database', () => {
  it('reports an error of the millionth row, instead of ending early', async () => {
    await using database = await openDuckdb(':memory:', 'write')
    await expect(database.all(FAILS_LATE)).rejects.toThrow('boom on purpose')
    const seen: number[] = []
    await expect(
      (async () => {
        for await (const page of database.pages(FAILS_LATE, [], 1000)) seen.push(page.length)
      })(),
    ).rejects.toThrow('boom on purpose')
    // No row is passed on before the query has succeeded.
    expect(seen).toEqual([])
    await expect(database.write((tx) => tx.run(`CREATE TABLE t AS ${FAILS_LATE}`))).rejects.toThrow('boom on purpose')
    expect(await database.all(`SELECT count(*) FROM duckdb_tables() WHERE table_name = 't'`)).toEqual([[0]])
  })

  it('returns all rows in pages, in order', async () => {
    await using database = await openDuckdb(':memory:', 'write')
    const sizes: number[] = []
    let next = 0
    for await (const page of database.pages('SELECT i FROM range(10001) t(i) ORDER BY i', [], 3000)) {
      sizes.push(page.length)
      for (const [i] of page) expect(i).toBe(next++)
    }
    expect(sizes).toEqual([3000, 3000, 3000, 1001])
  })

  it('loads and returns every type of value', async () => {
    await using database = await openDuckdb(':memory:', 'write')
    const rows: SqlRow[] = [
      [1, "it's\n😀\0", new Uint8Array([0, 255]), 9_007_199_254_740_993n, 1.5],
      [2, '', new Uint8Array(0), -1n, null],
      [3, null, null, null, 0],
    ]
    await database.write(async (tx) => {
      await tx.run("CREATE TABLE t (a INTEGER, b VARCHAR, c BLOB, d BIGINT, e DOUBLE, f VARCHAR DEFAULT 'kept')")
      // Columns in another order than those of the table, and one that gets its default.
      await tx.load(
        't',
        ['d', 'a', 'b', 'c', 'e'],
        rows.map(([a, b, c, d, e]) => [d ?? null, a ?? null, b ?? null, c ?? null, e ?? null]),
      )
    })
    const back = await database.all('SELECT a, b, c, d, e, f FROM t ORDER BY a')
    expect(back[0]?.[2]).toEqual(Buffer.from([0, 255]))
    expect(back.map(([a, b, , d, e, f]) => [a, b, d, e, f])).toEqual([
      [1, "it's\n😀\0", 9_007_199_254_740_993n, 1.5, 'kept'],
      [2, '', -1, null, 'kept'],
      [3, null, null, 0, 'kept'],
    ])
    expect(await database.all('SELECT a FROM t WHERE b = ? AND c = ? AND d = ?', rows[0]?.slice(1, 4) ?? [])).toEqual([
      [1],
    ])
  })

  it('rolls a failed transaction back and runs the next one', async () => {
    await using database = await openDuckdb(':memory:', 'write')
    await database.write((tx) => tx.script('CREATE TABLE t (a INTEGER PRIMARY KEY); INSERT INTO t VALUES (1)'))
    const failed = database.write(async (tx) => {
      expect(await tx.run('INSERT INTO t VALUES (2), (3)')).toBe(2)
      await tx.load('t', ['a'], [[1]])
    })
    const after = database.write((tx) => tx.run('INSERT INTO t VALUES (9)'))
    await expect(failed).rejects.toThrow(/[Cc]onstraint/)
    expect(await after).toBe(1)
    expect(await database.all('SELECT a FROM t ORDER BY a')).toEqual([[1], [9]])
    expect(await database.read((reader) => reader.all('SELECT count(*) FROM t'))).toEqual([[2]])
    await expect(database.read((reader) => reader.all('DELETE FROM t RETURNING a'))).rejects.toThrow(
      'Permission denied',
    )
  })

  it('reports which program has a file open', async () => {
    const file = join(folder, "it's held.duckdb")
    await using held = await openDuckdb(file, 'write')
    await held.write((tx) => tx.script('CREATE TABLE t (a INTEGER)'))
    // The second opener must be another process: DuckDB lets one process open a file as often as it likes.
    const script = `import { openDuckdb } from ${JSON.stringify(join(import.meta.dirname, '../../build/stores/duckdb/sql-database.js'))}
      await openDuckdb(${JSON.stringify(file)}, 'write').then(() => console.log('opened'), (e) => console.log(JSON.stringify([e.code, e.message, e.reason])))`
    const source = join(folder, 'second.mjs')
    writeFileSync(source, script)
    const { stdout } = spawnSync(process.execPath, [source], { encoding: 'utf8' })
    expect(JSON.parse(stdout)).toEqual([
      'TARGET_BUSY',
      'the DuckDB file is open in another program',
      `only one program at a time can open a DuckDB file, now the one with PID ${process.pid}`,
    ])
  })

  it('a catalog write waits as long as --wait allows for another program that has the file open', async () => {
    const file = join(folder, 'waited.duckdb')
    const table = join(folder, 'waited')
    const catalog = `duckdb:///${file}`
    writeLog(table, [[PROTOCOL, METADATA, add('a')]])
    const opened = join(import.meta.dirname, '../../build/stores/duckdb/sql-database.js')
    const source = join(folder, 'holder.mjs')
    writeFileSync(
      source,
      `import { openDuckdb } from ${JSON.stringify(opened)}
      const held = await openDuckdb(${JSON.stringify(file)}, 'write')
      console.log('opened')
      for await (const _ of process.stdin);
      await held.close()`,
    )
    const tables = [table]
    const keep = { versions: 1 }
    const rollback = { kind: 'rollback', table, catalog, confirm: table, checkFiles: 'none' }
    const operations = [
      importOf(table, catalog),
      { kind: 'sync', tables, catalog, watch: false, intervalMs: 1000, batchSize: 100, parallel: 1 },
      { kind: 'prune', tables, catalog, keep, dryRun: true },
      { kind: 'prune', tables, catalog, keep, confirm: table, dryRun: false },
      { kind: 'index', table, columns: ['id'], catalog, drop: true },
      { ...rollback, dryRun: true },
      { ...rollback, dryRun: false },
      { ...importOf(table, catalog), kind: 'batch-import', path: table, recursive: false, exclude: [], parallel: 1 },
    ] as readonly Operation[]
    for (const operation of operations) {
      const holder = spawn(process.execPath, [source], { stdio: ['pipe', 'pipe', 'inherit'] })
      await once(holder.stdout, 'data')
      const named = `${operation.kind} ${'dryRun' in operation && operation.dryRun}`
      const busy = await perform({ ...operation, waitMs: 0 } as Operation)
      expect(busy.finished.error?.code, named).toBe('TARGET_BUSY')
      const notes: string[] = []
      const finished = await runOperation({ ...operation, waitMs: 60_000 } as Operation, {
        interrupt: NEVER,
        clock: systemClock,
        tool: 'test',
        actor: 'test',
        host: 'here',
        commandLine: `sluice ${operation.kind}`,
        onEvent: (event) => {
          if (event.type !== 'log' || !event.message.startsWith('waits: ')) return
          notes.push(event.message)
          holder.stdin.end()
        },
      })
      expect(finished.error?.code, named).not.toBe('TARGET_BUSY')
      expect(notes, named).toEqual([expect.stringContaining('the DuckDB file is open in another program')])
    }
  })

  it('keeps a file between openings, and refuses writes if it is opened for reading', async () => {
    const file = join(folder, 'kept.duckdb')
    {
      await using database = await openDuckdb(file, 'write')
      await database.write((tx) => tx.script('CREATE TABLE t AS SELECT 42 AS a'))
    }
    await using database = await openDuckdb(file, 'read')
    expect(await database.all('SELECT a FROM t')).toEqual([[42]])
    expect(() => database.write(async () => undefined)).toThrow('opened for reading')
  })

  it('reports the path of a file that it cannot open', async () => {
    const garbage = join(folder, 'garbage.duckdb')
    writeFileSync(garbage, 'this is no database at all, whatever its name may be'.repeat(500))
    expect(codeOf(await openDuckdb(garbage, 'write').catch((e: unknown) => e))).toBe('TARGET_CORRUPT')
    expect(codeOf(await openDuckdb(join(folder, 'none.duckdb'), 'read').catch((e: unknown) => e))).toBe(
      'CONNECT_FAILED',
    )
    expect(codeOf(await openDuckdb(join(folder, 'no/such/folder.duckdb'), 'write').catch((e: unknown) => e))).toBe(
      'CONNECT_FAILED',
    )
  })

  it('stays within its memory limit, and reports when it cannot', async () => {
    await using small = await openDuckdb(':memory:', 'write', { memoryLimit: '100MB' })
    await small.write((tx) =>
      tx.run(`CREATE TABLE big AS SELECT i, md5(i::VARCHAR) || repeat('x', 200) AS t FROM range(400000) t(i)`),
    )
    expect(await small.all('SELECT count(*) FROM (SELECT t FROM big ORDER BY t OFFSET 0)')).toEqual([[400_000]])
    const thrown = await small.all(`SELECT list(t) FROM big`).catch((e: unknown) => e)
    expect(codeOf(thrown)).toBe('NO_SPACE')
  })

  it('never searches for extensions', async () => {
    await using database = await openDuckdb(':memory:', 'write')
    const started = performance.now()
    await expect(database.all(`SELECT * FROM read_parquet('https://example.invalid/x.parquet')`)).rejects.toThrow(
      /httpfs/,
    )
    expect(performance.now() - started).toBeLessThan(400)
  })
})
