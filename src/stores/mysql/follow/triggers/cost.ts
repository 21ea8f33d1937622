/** Measures how much triggers slow down writers. Writes only into copies of some rows, and drops these copies. */
import { tableText, type TableName } from '../../../../model/copy/column-type.ts'
import { SluiceError } from '../../../../shared/errors.ts'
import { millisText } from '../../../../shared/figures.ts'
import type { FollowedTable } from '../../../../model/follow/port.ts'
import { costLines, costText, emptyText, medianOf, unmeasuredText } from '../../../common/trigger-stream/cost-text.ts'
import { backquotedTable, mysqlTableSql, quoted } from '../../copy/names.ts'
import { setMysqlLockWait } from '../../lock-wait.ts'
import type { MysqlSession } from '../../session.ts'
import { logKeyColumns, logStatements, triggerStatements } from './log.ts'

const WRITES = 200
/** Number of trials, of which the median counts, because the machine has other load. */
const TRIALS = 5
/** A stream name that no run has. */
const TRIAL = 'sluice_0'
const TOKEN = '00000000-0000-0000-0000-000000000000'

/** @returns one line for each table, as `costLines` */
export function mysqlTriggerCost(
  session: MysqlSession,
  database: string,
  tables: readonly FollowedTable[],
  signal: AbortSignal,
): Promise<readonly string[]> {
  return costLines(tables, signal, (one) => costOf(session, database, one))
}

async function costOf(session: MysqlSession, database: string, one: FollowedTable): Promise<string> {
  const name = tableText(one.table.table)
  const table = (what: string): TableName => ({ schema: database, name: `${TRIAL}_${what}` })
  const [scratch, some, log] = [table('trial'), table('rows'), table('keys')]
  const dropped = `DROP TABLE IF EXISTS ${[scratch, some, log].map(backquotedTable).join(', ')}`
  const restore = await setMysqlLockWait(session, 1)
  try {
    await session.command(dropped)
    const columns = one.table.columns.filter(({ generated }) => generated !== true)
    const list = columns.map((column) => quoted(column.name)).join(', ')
    for (const made of [scratch, some]) await session.command(`CREATE TABLE ${backquotedTable(made)} LIKE ${backquotedTable(one.table.table)}`) // prettier-ignore
    const { changed: rows } = await session.execute(
      `INSERT INTO ${mysqlTableSql(some)} (${list}) SELECT ${list} FROM ${mysqlTableSql(one.table.table)} LIMIT ${WRITES}`,
    )
    await session.command('COMMIT')
    if (rows === 0) return emptyText(name)
    const written = `INSERT INTO ${mysqlTableSql(scratch)} (${list}) SELECT ${list} FROM ${mysqlTableSql(some)}`
    const without = await median(session, written)
    const key = one.identity.flatMap((found) => columns.find((column) => column.name === found) ?? [])
    const noted = await logKeyColumns(session, scratch, key)
    const made = { stream: TRIAL, token: TOKEN, number: 0 }
    for (const sql of logStatements(log, noted, made)) await session.command(sql)
    for (const sql of triggerStatements(scratch, log, noted, made)) await session.command(sql)
    const withTriggers = await median(session, written)
    return `${name}: a write of one row takes ${millisText(without / rows)}, ${costText('trigger', without / rows, withTriggers / rows, millisText)}; measured with ${TRIALS} times ${rows} rows that were inserted into a copy`
  } catch (error) {
    if (session.broken !== null) throw error
    if (error instanceof SluiceError && error.code === 'CONNECTION_LOST') throw error
    return unmeasuredText(name, error)
  } finally {
    await session.rollBack()
    if (session.broken === null) await session.command(dropped).catch(() => undefined)
    await restore()
  }
}

/** Median time of a statement in ms, without its commit. */
async function median(session: MysqlSession, written: string): Promise<number> {
  const taken: number[] = []
  // The first run is not counted: it starts with cold caches.
  for (let trial = 0; trial <= TRIALS; trial++) {
    const from = performance.now()
    await session.command(written)
    const ms = performance.now() - from
    if (trial > 0) taken.push(ms)
    await session.command('ROLLBACK')
  }
  return medianOf(taken)
}
