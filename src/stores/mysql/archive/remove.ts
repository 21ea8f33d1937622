/**
 * Deletes rows of a table if they are exactly the expected ones. The rows and the gaps between them are locked first,
 * so that no row can be changed, added or removed until the transaction ends. All reads are locking reads: they see the
 * last commit, not a snapshot.
 */
import { tableText } from '../../../model/copy/column-type.ts'
import { equalDigests } from '../../../model/copy/rows.ts'
import { throwIfAborted } from '../../../shared/abort.ts'
import { SluiceError } from '../../../shared/errors.ts'
import type { RemoveRequest, StepEnd } from '../../../model/archive/port.ts'
import type { MysqlConfig } from '../config.ts'
import { mysqlErrorNumber } from '../errors.ts'
import { refuseCascadingDelete } from '../cascades.ts'
import type { MysqlSession } from '../session.ts'
import { closeMysqlChunk } from '../copy/commit.ts'
import { mysqlCanonicalDigest } from '../copy/digest.ts'
import { mysqlSourceError, mysqlTargetError } from '../copy/errors.ts'
import { backquotedTable, mysqlTableSql } from '../copy/names.ts'
import { mysqlRangeCondition } from '../copy/ranges.ts'
import { refuseMysqlHiddenColumns } from '../copy/hidden-columns.ts'
import { interruptibleMysql } from '../copy/sessions.ts'
import type { MysqlTableShape } from '../copy/shape.ts'
import { takeUserLock } from '../user-lock.ts'

/**
 * Error numbers of the server. REFERRED_TO: other rows refer to this row; 1217 if the login has no right to see the
 * table of these rows, else 1451.
 */
const NO_SUCH_TABLE = 1146
const REFERRED_TO = new Set([1217, 1451])
const REMEDY = 'drop these foreign keys first, or archive those tables and make the keys RESTRICT'

/**
 * @param session of a writer, without an open transaction. After the call, also if it throws, no transaction is open or
 * the session is broken
 * @throws SluiceError TABLE_REFUSED if rows of other tables depend on the rows, TARGET_BUSY if other transactions
 * lock the rows, CONNECTION_LOST, COMMIT_UNKNOWN, BAD_PREDICATE, VALUE_REFUSED for rows that cannot be compared
 */
export async function removeMysqlRows(
  config: MysqlConfig,
  session: MysqlSession,
  request: RemoveRequest,
  shape: MysqlTableShape,
): Promise<StepEnd> {
  const { table, where, signal } = request
  throwIfAborted(signal)
  if (shape.engine === null) return 'gone'
  const place = `${config.label}: ${tableText(table.table)}`
  refuseUnfit(request, shape)
  let mark: string | null = null
  try {
    mark = await takeUserLock(session)
    await session.command('COMMIT')
    const begin = 'SET TRANSACTION ISOLATION LEVEL SERIALIZABLE'
    await session.command(begin)
    const end = await interruptibleMysql(config, session, signal, () => deleted(session, request))
    if (end !== 'deleted') return end
    return (await closeMysqlChunk(config, session, mark, request.closing)) === 'committed' ? 'done' : 'fenced'
  } catch (thrown) {
    throwIfAborted(signal)
    throw named(thrown, place, where)
  } finally {
    await leave(session, mark)
  }
}

async function deleted(session: MysqlSession, request: RemoveRequest): Promise<'deleted' | 'differs' | 'gone'> {
  const { table, columns, range, where, expect, signal } = request
  const name = mysqlTableSql(table.table)
  const { sql, parameters } = mysqlRangeCondition(table, range, where)
  let locked: readonly (readonly unknown[])[]
  try {
    locked = await session.rows(`SELECT CAST(COUNT(*) AS CHAR) FROM ${name} WHERE ${sql} FOR UPDATE`, parameters)
  } catch (error) {
    if (mysqlErrorNumber(error) === NO_SUCH_TABLE) return 'gone'
    throw error
  }
  if (!(await isSame(session, request))) return 'gone'
  // Check after the lock: from now on no row can be added that refers to the locked rows.
  await refuseCascadingDelete(session, { table: table.table, refused: 'all', remedy: REMEDY })
  await refuseMysqlHiddenColumns(session, table.table)
  if (!(await isProved(session, request)) || String(locked[0]?.[0]) !== String(expect.rows)) return 'differs'
  const reading = { table, columns, range, where, ordered: false }
  if (!equalDigests(await mysqlCanonicalDigest(session, reading, null, signal), expect)) return 'differs'
  const { changed } = await session.execute(`DELETE FROM ${name} WHERE ${sql}`, parameters)
  // The counts differ if the condition is not deterministic.
  return BigInt(changed) === expect.rows ? 'deleted' : 'differs'
}

/** True if it is the planned table. Call after the transaction has used the table: then it can no longer be altered. */
async function isSame(session: MysqlSession, { table: { table, identity } }: RemoveRequest): Promise<boolean> {
  const [[schema, created] = []] = await session.rows(
    'SELECT TABLE_SCHEMA, CREATE_TIME FROM information_schema.TABLES WHERE TABLE_SCHEMA = COALESCE(?, DATABASE()) AND TABLE_NAME = ?',
    [table.schema ?? null, table.name],
  )
  return identity.endsWith(`/${String(schema)}/${table.name}@${String(created ?? '')}`)
}

/** True if every column that would be lost was compared. */
async function isProved(session: MysqlSession, { table: { table }, columns }: RemoveRequest): Promise<boolean> {
  const stored = await session.rows(
    `SELECT COLUMN_NAME FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = COALESCE(?, DATABASE()) AND TABLE_NAME = ?
     AND NOT (EXTRA LIKE '%VIRTUAL GENERATED%' OR EXTRA LIKE '%STORED GENERATED%' OR EXTRA LIKE '%PERSISTENT GENERATED%')`,
    [table.schema ?? null, table.name],
  )
  const proved = new Set(columns.map(({ name }) => name))
  return stored.every(([name]) => proved.has(String(name)))
}

function refuseUnfit({ table }: RemoveRequest, { engine }: MysqlTableShape): void {
  const where = tableText(table.table)
  if (engine !== 'InnoDB') {
    throw new SluiceError('TABLE_REFUSED', `${where} is a table of ${engine ?? ''}, which has no transactions`, {
      where,
      reason: 'rows that were not proved could be removed',
      hint: `ALTER TABLE ${backquotedTable(table.table)} ENGINE = InnoDB, then run the same command again`,
    })
  }
}

async function leave(session: MysqlSession, mark: string | null): Promise<void> {
  if (session.isStreaming) session.destroy()
  for (const [sql, parameters] of [
    ['ROLLBACK', []],
    ...(mark === null ? [] : [['SELECT RELEASE_LOCK(?)', [mark]] as const]),
    ['COMMIT', []],
  ] as const) {
    if (session.broken === null) await session.rows(sql, parameters).catch(() => session.destroy())
  }
}

function named(thrown: unknown, place: string, where: string | null): unknown {
  const ofSource = where === null ? null : mysqlSourceError(thrown, place, where)
  if (ofSource instanceof SluiceError && ofSource.code === 'BAD_PREDICATE') return ofSource
  if (!REFERRED_TO.has(mysqlErrorNumber(thrown) ?? 0)) return mysqlTargetError(thrown, place)
  return new SluiceError('TABLE_REFUSED', 'the rows cannot be removed: rows of other tables refer to them', {
    where: place,
    hint: 'archive or remove those rows first',
    cause: thrown,
  })
}
