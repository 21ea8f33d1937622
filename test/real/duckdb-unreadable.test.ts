/** Files that DuckDB cannot open as a database: catalogs and copies name each with its cause and an action. */
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DuckDBInstance } from '@duckdb/node-api'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openCopyStore } from '../../src/engine/copy/open-stores.ts'
import { duckdbError } from '../../src/stores/duckdb/errors.ts'
import { openDuckdb } from '../../src/stores/duckdb/sql-database.ts'

const BLOCK = 4096

let folder = ''
let whole = ''
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'sluice-duckdb-unreadable-'))
  whole = join(folder, 'whole.duckdb')
  await run(whole, `CREATE TABLE t AS SELECT i AS id, md5(i::VARCHAR) AS v FROM range(10000) r(i); CHECKPOINT`)
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

async function run(file: string, sql: string): Promise<void> {
  const instance = await DuckDBInstance.create(file)
  const connection = await instance.connect()
  await connection.run(sql)
  connection.closeSync()
  instance.closeSync()
}

/** Sets another storage version in the file, and the matching checksum in its header. */
function setVersion(file: string, version: bigint): void {
  const bytes = readFileSync(file)
  bytes.writeBigUInt64LE(version, 12)
  let sum = 5381n
  for (let at = 8; at < BLOCK; at += 8) sum ^= BigInt.asUintN(64, bytes.readBigUInt64LE(at) * 0xbf58476d1ce4e5b9n)
  bytes.writeBigUInt64LE(sum, 0)
  writeFileSync(file, bytes)
}

type Damage = {
  readonly name: string
  readonly make: (file: string) => unknown
  readonly message: RegExp
  readonly hint: RegExp
}

const DAMAGES: readonly Damage[] = [
  {
    name: 'of a newer DuckDB',
    make: (file) => setVersion(file, 1064n),
    message: /storage version 1064/,
    hint: /EXPORT DATABASE.*IMPORT DATABASE/,
  },
  {
    name: 'of an older DuckDB',
    make: (file) => setVersion(file, 1n),
    message: /storage version 1\b/,
    hint: /EXPORT DATABASE.*IMPORT DATABASE/,
  },
  {
    name: 'encrypted',
    make: async (file) => {
      rmSync(file)
      const attach = `ATTACH '${file}' AS e (ENCRYPTION_KEY 'abc'); CREATE TABLE e.t (id INTEGER); DETACH e`
      await run(':memory:', `SET force_mbedtls_unsafe = 'true'; ${attach}`)
    },
    message: /encrypted/,
    hint: /COPY FROM DATABASE/,
  },
  { name: 'cut in its header', make: (file) => truncateSync(file, 5000), message: /damaged/, hint: /backup/ },
  {
    name: 'cut behind its headers',
    make: (file) => truncateSync(file, 3 * BLOCK + 100),
    message: /damaged/,
    hint: /backup/,
  },
  {
    name: 'with a log that cannot be replayed',
    make: async (file) => {
      const instance = await DuckDBInstance.create(join(folder, 'log.duckdb'))
      const connection = await instance.connect()
      await connection.run('CREATE TABLE u AS SELECT range FROM range(1000); CHECKPOINT; INSERT INTO u VALUES (1)')
      copyFileSync(join(folder, 'log.duckdb'), file)
      const log = readFileSync(join(folder, 'log.duckdb.wal'))
      log[64] = (log[64] ?? 0) ^ 0x55
      writeFileSync(`${file}.wal`, log)
      connection.closeSync()
      instance.closeSync()
      rmSync(join(folder, 'log.duckdb'))
    },
    message: /damaged/,
    hint: /backup/,
  },
  {
    name: 'without its magic bytes',
    make: (file) => writeFileSync(file, 'no database '.repeat(1000)),
    message: /damaged/,
    hint: /backup/,
  },
]

describe.each(DAMAGES)('a file $name', ({ name, make, message, hint }) => {
  test('is refused by catalogs and by both sides of a copy', async () => {
    const file = join(folder, `${name.replaceAll(' ', '-')}.duckdb`)
    copyFileSync(whole, file)
    await make(file)
    const said = { code: 'TARGET_CORRUPT', message: expect.stringMatching(message) as string, hint: expect.stringMatching(hint) as string } // prettier-ignore
    const where = expect.stringContaining(file) as string
    for (const mode of ['read', 'write'] as const) {
      await expect(openDuckdb(file, mode), mode).rejects.toMatchObject({ ...said, where })
      const kind = mode === 'read' ? 'source' : 'target'
      await expect(openCopyStore(`duckdb:///${file}`, { mode }), mode).rejects.toMatchObject({ ...said, where, kind })
    }
  })
})

test('a folder in place of a file cannot be opened', async () => {
  const file = join(folder, 'folder.duckdb')
  mkdirSync(file)
  for (const mode of ['read', 'write'] as const)
    await expect(openDuckdb(file, mode), mode).rejects.toMatchObject({ code: 'CONNECT_FAILED' })
})

test.each(['INSERT INTO c VALUES (1, NULL)', 'SELECT checksumm FROM c', `SELECT 'checksum'::INTEGER`])(
  'an error of a row or of a statement is not reported as a damaged file: %s',
  async (sql) => {
    const file = join(folder, `named-${sql.length}.duckdb`)
    await run(file, 'CREATE TABLE c (id INTEGER, checksum VARCHAR NOT NULL)')
    const error: unknown = await run(file, sql).catch((thrown: unknown) => thrown)
    expect(String(error)).toContain('checksum')
    expect(duckdbError(error, file)).toBe(error)
  },
)
