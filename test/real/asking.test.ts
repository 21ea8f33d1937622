/**
 * Statements of the Ask screen on real databases: values are exact, nothing is changed, and a cancelled statement ends
 * on the server.
 */
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import type { AskProgress, AskQuestion } from '../../src/app/ask/port.ts'
import { openAsked, relationsOf } from '../../src/app/ask/pages.ts'
import { RunningAnswer } from '../../src/app/ask/running-answer.ts'
import { scratchDatabase } from '../../src/stores/parquet.ts'
import { temporaryFolder } from '../support/catalog-kit.ts'
import { makePlace, missing, type Place, type System } from '../support/copy-systems.ts'

const VALUES = `(1, '', 12345678901234.567, 9007199254740993), (2, 'NULL', NULL, -9223372036854775808), (3, NULL, 0.1, 0), (4, 'a"b,
c', 1, 7)`
const DECIMAL = {
  sqlite: 'text',
  duckdb: 'decimal(18,3)',
  postgresql: 'numeric(18,3)',
  mysql: 'decimal(18,3)',
} as const
type Asked = keyof typeof DECIMAL
const ENDLESS: Readonly<Record<Asked, string>> = {
  sqlite: 'WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n',
  duckdb: 'SELECT count(*) FROM range(1000000) a, range(1000000) b WHERE a.range + b.range = 7',
  postgresql: 'SELECT pg_sleep(600)',
  mysql: 'SELECT SLEEP(600) FROM kept LIMIT 1',
}
const WORKING: Partial<Record<System, string>> = {
  postgresql:
    "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query LIKE 'FETCH % FROM sluice_query' AND datname = current_database() AND pid <> pg_backend_pid()",
  mysql: "SELECT count(*) FROM information_schema.processlist WHERE info LIKE '%SLEEP(600)%' AND id <> connection_id()",
}
const WRITES = [
  'DELETE FROM kept',
  'DROP TABLE kept',
  "INSERT INTO kept VALUES (9, '', 0, 0)",
  'SELECT 1; DELETE FROM kept',
]

async function made(system: Asked, folder: string): Promise<Place> {
  const place = await makePlace(system, folder)
  const amount = DECIMAL[system]
  await place.sql(
    `CREATE TABLE kept (id integer PRIMARY KEY, name varchar(20), amount ${amount}, big bigint)`,
    `INSERT INTO kept VALUES ${system === 'sqlite' ? VALUES.replace('12345678901234.567', "'12345678901234.567'") : VALUES}`,
  )
  return place
}

const question = (place: Place, sql: string, explain = false): AskQuestion => ({
  place: { kind: 'database', url: place.url },
  sql,
  explain,
})

async function asked(of: AskQuestion): Promise<{ answer: RunningAnswer; told: AskProgress }> {
  const answer = new RunningAnswer(of, () => undefined)
  await answer.ended
  return { answer, told: answer.progress }
}

describe.each(['sqlite', 'duckdb', 'postgresql', 'mysql'] as const)('statements sent to %s', async (system) => {
  const absent = await missing(system)

  it.skipIf(absent !== '')('return exact values, can change nothing, and are explained without execution', async () => {
    using folder = temporaryFolder()
    const place = await made(system, folder.path)
    const all = 'SELECT id, name, amount, big FROM kept ORDER BY id;'
    const { answer, told: reported } = await asked(question(place, all))
    await using _ = answer
    expect(reported).toMatchObject({ state: 'done', whole: true, rows: 4, columns: ['id', 'name', 'amount', 'big'] })
    const texts = (await answer.window(0, 10)).map((row) => row.map((cell) => (cell === null ? null : cell.text)))
    expect(texts[0]?.slice(0, 2)).toEqual(['1', ''])
    expect(texts[0]?.[3]).toBe('9007199254740993')
    expect(texts[0]?.[2]).toBe('12345678901234.567')
    expect(texts[1]).toEqual(['2', 'NULL', null, '-9223372036854775808'])
    for (const sql of WRITES) {
      for (const explain of [false, true]) {
        const tried = await asked(question(place, sql, explain))
        // The plan of a writing statement is only a plan: it is shown, and nothing is written.
        if (!explain) expect(tried.told.error?.code, sql).toBe('BAD_QUERY')
        await tried.answer[Symbol.asyncDispose]()
      }
    }
    const plan = await asked(question(place, all, true))
    expect(plan.told).toMatchObject({ whole: true, error: null })
    expect(plan.told.rows).toBeGreaterThan(0)
    await plan.answer[Symbol.asyncDispose]()
    expect(await place.rows('SELECT count(*) FROM kept')).toEqual([['4']])
    const relations = await relationsOf({ kind: 'database', url: place.url }, new AbortController().signal)
    expect(relations.find(({ name }) => name === 'kept')?.columns.map(({ name }) => name)).toEqual(reported.columns)
  })

  it.skipIf(absent !== '')('end on the server when they are cancelled, and report it', async () => {
    using folder = temporaryFolder()
    const place = await made(system, folder.path)
    const before = process.cpuUsage().user
    await using answer = new RunningAnswer(question(place, ENDLESS[system]), () => undefined)
    // SQLite runs in this process and shows its work by rows, DuckDB by CPU time.
    const isWorking: Partial<Record<System, () => boolean>> = {
      sqlite: () => answer.progress.rows > 1000,
      duckdb: () => process.cpuUsage().user - before > 400_000,
    }
    await expect.poll(() => isWorking[system]?.() ?? true, { timeout: 10_000 }).toBe(true)
    const { [system]: working } = WORKING
    const atServer = async (): Promise<string | null> =>
      working === undefined ? '0' : ((await place.rows(working))[0]?.[0] ?? null)
    if (working !== undefined) await expect.poll(atServer, { timeout: 10_000 }).toBe('1')
    answer.cancel()
    await answer.ended
    expect(answer.progress).toMatchObject({ state: 'done', cancelled: true, whole: false, error: null })
    await expect.poll(atServer, { timeout: 5_000 }).toBe('0')
  })
})

it.each(['d1://account/database', 'cassandra://h/k'])('is refused for %s with a reason', async (url) => {
  await expect(openAsked(url)).rejects.toMatchObject({
    code: 'UNSUPPORTED_URL',
    reason: expect.stringContaining('no read-only sessions') as string,
  })
})

it('fails in a database without a catalog, and the error does not mention one', async () => {
  using folder = temporaryFolder()
  const place = await made('sqlite', folder.path)
  for (const sql of ['SELECT nothing FROM kept', 'DELETE FROM kept', 'SELECT 1; SELECT 2']) {
    const { answer, told: reported } = await asked(question(place, sql))
    await answer[Symbol.asyncDispose]()
    expect(reported.error?.code).toBe('BAD_QUERY')
    expect(`${reported.error?.message} ${reported.error?.reason} ${reported.error?.hint}`).not.toMatch(
      /import|docs|the catalog/,
    )
  }
})

it('saves all rows with exact values, counts them, and overwrites files only on request', async () => {
  using folder = temporaryFolder()
  const place = await made('sqlite', folder.path)
  const sql = `SELECT id, name, amount, big, x'00ff' AS b, 0.5 AS r, id AS id, CASE id WHEN 1 THEN 1 ELSE 'x' END AS mixed FROM kept ORDER BY id`
  const { answer } = await asked(question(place, sql))
  await using _ = answer
  const at = (name: string): string => join(folder.path, name)
  writeFileSync(at('a.csv'), 'mine')
  expect(await answer.save({ path: at('a.csv'), format: 'csv', overwrite: false })).toEqual({ kind: 'exists' })
  expect(readFileSync(at('a.csv'), 'utf8')).toBe('mine')
  expect(await answer.save({ path: at('a.csv'), format: 'csv', overwrite: true })).toMatchObject({ rows: 4 })
  expect(readFileSync(at('a.csv'), 'utf8').split('\r\n').slice(0, 4)).toEqual([
    'id,name,amount,big,b,r,id,mixed',
    String.raw`1,"",12345678901234.567,9007199254740993,\x00ff,0.5,1,1`,
    String.raw`2,NULL,,-9223372036854775808,\x00ff,0.5,2,x`,
    String.raw`3,,0.1,0,\x00ff,0.5,3,x`,
  ])
  await answer.save({ path: at('a.jsonl'), format: 'jsonl', overwrite: false })
  const [first = ''] = readFileSync(at('a.jsonl'), 'utf8').split('\n')
  expect(JSON.parse(first)).toMatchObject({ id: 1, name: '', big: '9007199254740993', id_2: 1 })
  const saved = await answer.save({ path: at('a.parquet'), format: 'parquet', overwrite: false })
  expect(saved).toMatchObject({ kind: 'saved', rows: 4, asText: ['mixed'], renamed: ['id -> id_2'] })
  const { answer: bytesAndTexts } = await asked(
    question(place, "SELECT x'3031' AS v UNION ALL SELECT '3031' UNION ALL SELECT NULL"),
  )
  await using bytes = bytesAndTexts
  await expect(bytes.save({ path: at('b.parquet'), format: 'parquet', overwrite: false })).rejects.toMatchObject({
    code: 'LOSSY_TYPE',
    message: 'Parquet has no type for columns with both bytes and other values: v',
  })
  expect(existsSync(at('b.parquet'))).toBe(false)
  await bytes.save({ path: at('b.csv'), format: 'csv', overwrite: false })
  expect(readFileSync(at('b.csv'), 'utf8').split('\r\n')).toEqual(['v', String.raw`\x3031`, '3031', '', ''])
  await using duckdb = await scratchDatabase()
  const read = await duckdb.all(
    `SELECT id, name, CAST(big AS VARCHAR), typeof(big), typeof(b), r, id_2, mixed FROM '${at('a.parquet')}' ORDER BY id LIMIT 2`,
  )
  expect(read).toEqual([
    [1, '', '9007199254740993', 'BIGINT', 'BLOB', 0.5, 1, '1'],
    [2, 'NULL', '-9223372036854775808', 'BIGINT', 'BLOB', 0.5, 2, 'x'],
  ])
  await expect(answer.save({ path: '/proc/a.csv', format: 'csv', overwrite: false })).rejects.toMatchObject({
    code: 'BAD_FLAG',
  })
  // No unfinished file is left.
  expect(readdirSync(folder.path).filter((name) => name.startsWith('.'))).toEqual([])
  expect(existsSync(at('a.parquet'))).toBe(true)
})
