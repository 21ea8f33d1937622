/** Measures what triggers cost writers, in memory on copies of some rows. The file itself is only read. */
import { performance } from 'node:perf_hooks'
import Database from 'better-sqlite3'
import { tableText } from '../../../../model/copy/column-type.ts'
import { breathe } from '../../../../shared/abort.ts'
import type { FollowedTable } from '../../../../model/follow/port.ts'
import { costLines, costText, emptyText, medianOf, unmeasuredText } from '../../../common/trigger-stream/cost-text.ts'
import { quote } from '../../../common/sqlite-dialect/ddl.ts'
import { sqliteColumns } from '../../copy/shape.ts'
import { makeSqliteLog, makeProgress } from './log.ts'
import { wideRowsOf } from '../../reader.ts'

const WRITES = 200
/** Number of trials. Their median is used, because the machine has other load. */
const TRIALS = 9
const STREAM = 'sluice_0'

/** @returns as `costLines` */
export function sqliteTriggerCost(
  source: Database.Database,
  tables: readonly FollowedTable[],
  signal: AbortSignal,
): Promise<readonly string[]> {
  return costLines(tables, signal, async (one) => {
    const line = costOf(source, one)
    await breathe()
    return line
  })
}

function costOf(source: Database.Database, one: FollowedTable): string {
  const name = tableText(one.table.table)
  const scratch = new Database(':memory:')
  try {
    const rows = copied(source, scratch, one)
    if (rows === 0) return emptyText(name)
    const without = median(scratch, one)
    const before = pages(scratch)
    scratch.exec('BEGIN')
    makeProgress(scratch, STREAM, '')
    makeSqliteLog(scratch, STREAM, 1, one)
    scratch.exec('COMMIT')
    const noted = median(scratch, one)
    const bytes = Math.max(0, Math.round((pages(scratch) - before) / (rows * (TRIALS + 1))))
    return (
      `${name}: a write of one row takes ${usText(without / rows)}, ${costText('triggers', without / rows, noted / rows, usText)}, plus a note of about ${bytes} bytes, without the time of the commit; ` +
      `measured in memory with ${rows * TRIALS} writes of each kind to a copy of ${rows} rows`
    )
  } catch (error) {
    return unmeasuredText(name, error)
  } finally {
    scratch.close()
  }
}

/** Copies the table with its indexes and some of its rows. @returns number of rows */
function copied(source: Database.Database, scratch: Database.Database, { table }: FollowedTable): number {
  const { name } = table.table
  scratch.pragma('foreign_keys = OFF')
  const made = source
    .prepare(
      `SELECT sql FROM main.sqlite_schema WHERE type IN ('table', 'index') AND tbl_name = ? AND sql IS NOT NULL ORDER BY rowid`,
    )
    .pluck()
    .all(name) as string[]
  for (const sql of made) scratch.exec(sql)
  const columns = sqliteColumns(source, name).flatMap((one) => (one.hidden === 0 ? [quote(one.name)] : []))
  const rows = wideRowsOf(source, `SELECT ${columns.join(', ')} FROM ${quote(name)} LIMIT ${WRITES}`)
  const insert = scratch.prepare(
    `INSERT INTO ${quote(name)} (${columns.join(', ')}) VALUES (${columns.map(() => '?').join(', ')})`,
  )
  for (const row of rows) insert.run(...row)
  return rows.length
}

/** Median time, in ms, to write every row once, each row by a separate statement. */
function median(scratch: Database.Database, { table: { table }, identity }: FollowedTable): number {
  const keys = identity.map(quote)
  const all = wideRowsOf(scratch, `SELECT ${keys.join(', ')} FROM ${quote(table.name)}`)
  const [first = ''] = keys
  const write = scratch.prepare(
    `UPDATE ${quote(table.name)} SET ${first} = ${first} WHERE ${keys.map((key) => `${key} = ?`).join(' AND ')}`,
  )
  const taken: number[] = []
  // The first run is not counted, because its caches are empty.
  for (let trial = 0; trial <= TRIALS; trial++) {
    const from = performance.now()
    for (const key of all) write.run(...key)
    if (trial > 0) taken.push(performance.now() - from)
  }
  return medianOf(taken)
}

function pages(scratch: Database.Database): number {
  return Number(scratch.pragma('page_count', { simple: true })) * Number(scratch.pragma('page_size', { simple: true }))
}

function usText(ms: number): string {
  return `${(ms * 1000).toFixed(1)} µs`
}
