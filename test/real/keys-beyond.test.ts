/** Keys beyond the range of the target's column: their rows are quarantined, and stay so in a later comparison. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { temporaryFolder, type Folder } from '../support/catalog-kit.ts'
import { copyOf, makePlace, missing, perform, type System } from '../support/copy-systems.ts'

let folder: Folder
beforeAll(() => {
  folder = temporaryFolder()
})
afterAll(() => folder[Symbol.dispose]())

type Case = readonly [from: System, to: System, type: string, there: string, rows: readonly string[], held: number]

/** Rows in the order of their keys, and how many of them the target holds. */
const CASES: readonly Case[] = [
  ['postgresql', 'duckdb', 'bigint', 'INTEGER', ['-9000000000', '-1', '7', '9000000000', '9000000001'], 2],
  ['postgresql', 'duckdb', 'numeric(20,2)', 'DECIMAL(6,2)', ['-123456.5', '-9999.99', '1', '9999.99', '10000'], 3],
  ['postgresql', 'duckdb', 'timestamp', 'TIMESTAMP', [`'4000-01-01 BC'`, `'2020-01-01'`, `'294270-01-01'`], 2],
  ['postgresql', 'postgresql', 'bigint', 'int', ['-9000000000', '1', '9000000000'], 1],
  ['duckdb', 'postgresql', 'DATE', 'date', [`'5000-01-01 (BC)'`, `'2020-01-01'`, `'5881580-07-10'`], 1],
  ['duckdb', 'postgresql', 'TIMESTAMP', 'timestamp', [`'290300-12-21 (BC) 00:00:00'`, `'2020-01-01'`], 1],
  ['mysql', 'postgresql', 'bigint unsigned', 'bigint', ['1', '18446744073709551614', '18446744073709551615'], 1],
  ['mysql', 'postgresql', 'time', 'time', [`'-10:00:00'`, `'00:00:00'`, `'10:00:00'`, `'838:59:59'`], 2],
  ['mysql', 'duckdb', 'time', 'TIME', [`'-10:00:00'`, `'00:00:00'`, `'10:00:00'`, `'838:59:59'`], 2],
]

test.for(CASES.flatMap((one) => [false, true].map((pairs) => [...one, pairs] as const)))(
  '%s to %s: keys of type %s beyond %s are quarantined',
  { timeout: 120_000 },
  async ([from, to, type, there, rows, held, pairs], { skip }) => {
    for (const system of [from, to]) {
      const why = await missing(system)
      skip(why !== '', why)
    }
    const [source, target] = [await makePlace(from, folder.path), await makePlace(to, folder.path)]
    const made = (own: string): string =>
      `CREATE TABLE t (a int NOT NULL, k ${own}, v int, PRIMARY KEY (${pairs ? 'a, k' : 'k'}))`
    await source.sql(made(type))
    const values = rows.flatMap((key, i) => (pairs ? [1, 2] : [1]).map((a) => `(${a}, ${key}, ${i})`))
    await source.sql(`INSERT INTO t VALUES ${values.join(', ')}`)
    await target.sql(made(there))
    const copy = copyOf(source, target, 't', { chunkRows: 2 })
    const [all, kept] = [values.length, held * (pairs ? 2 : 1)]
    const counts = { read: String(all), quarantined: String(all - kept) }
    expect((await perform(copy)).finished.totals).toMatchObject({ ...counts, written: String(kept) })
    for (const more of [{}, { deleteExtra: true, confirm: 't' } as const]) {
      const { finished } = await perform({ ...copy, again: true, ...more })
      expect(finished).toMatchObject({ exitCode: 1, error: { code: 'ROWS_ASIDE' } })
      expect(finished.totals).toMatchObject({ ...counts, mended: '0', removed: '0', extra: '0' })
      expect(await target.rows('SELECT count(*) FROM t')).toEqual([[String(kept)]])
    }
  },
)
