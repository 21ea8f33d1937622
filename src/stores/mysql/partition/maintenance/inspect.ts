/** Reads tables that are partitioned by ranges from the dictionary. */
import { tableText, type TableName } from '../../../../model/copy/column-type.ts'
import { SluiceError } from '../../../../shared/errors.ts'
import { shellQuote } from '../../../../shared/shell.ts'
import type { RangedTable, RangePartition } from '../../../../model/partition/maintenance-port.ts'
import type { SqlRow } from '../../../../model/run/sql-port.ts'
import { mysqlErrorNumber } from '../../error-numbers.ts'
import { findMysqlTables } from '../../copy/tables.ts'
import type { MysqlSession } from '../../session.ts'
import { columnsHidden } from './denied.ts'
import { backquotedTable } from '../../copy/names.ts'
import { rangeMethod, type RangeMethod } from './bounds.ts'

const LOCK_WAIT = 1205

/** The table as the port describes it, and how its bounds are read and written. */
export type InspectedRangedTable = { readonly ranged: RangedTable; readonly method: RangeMethod }

/**
 * A partition `VALUES LESS THAN (MAXVALUE)` is the default partition: it takes all rows from the bound before it on.
 * The first partition takes all rows below its bound, and NULLs.
 * @param server identifies this server, for the identity of a table
 * @returns null for a table that is not partitioned
 * @throws SluiceError NO_SUCH_TABLE, UNSUPPORTED_TYPE; errors of the server
 */
export async function inspectMysqlPartitions(
  session: MysqlSession,
  table: TableName,
  server: string,
): Promise<InspectedRangedTable | null> {
  const found = await specOf(session, table, server)
  let rows = await partitionRows(session, found.table)
  if (rows.length === 0) {
    // The dictionary leaves out tables that it could not open in time: open the table, then read again.
    await opened(session, found.table)
    rows = await partitionRows(session, found.table)
  }
  const [first] = rows
  if (first === undefined) return null
  const where = tableText(found.table)
  const [, subpartition, kind, expression] = first
  const method = rangeMethod(String(kind), String(expression), found.columns)
  if (subpartition != null) throw unsupported(where, `its partitions have subpartitions (${String(subpartition)} …)`)
  if (!/^RANGE(?: COLUMNS)?$/.test(String(kind))) throw unsupported(where, `it is partitioned by ${String(kind)}`)
  if (method === null) {
    if ((found.hidesColumns === true || found.columns.length === 0) && ofOneColumn(String(expression)))
      throw columnsHidden(where, String(expression))
    throw unsupported(
      where,
      `it is partitioned by ${String(kind)} (${String(expression)}), which is not the value of one column`,
    )
  }
  const keptBy = await eventsOf(session, found.table)
  return {
    method,
    ranged: {
      table: found.table,
      identity: found.identity.replace(/@[^@]*$/, ''),
      column: method.column,
      partitions: partitionsOf(rows, method, where),
      ...(keptBy === null ? {} : { keptBy }),
    },
  }
}

/**
 * Opens the table. Ignores all errors except a lock timeout: statements that create partitions then fail, too.
 * @throws a lock timeout
 */
async function opened(session: MysqlSession, table: TableName): Promise<void> {
  try {
    await session.command(`SHOW CREATE TABLE ${backquotedTable(table)}`)
  } catch (error) {
    if (session.broken !== null || mysqlErrorNumber(error) === LOCK_WAIT) throw error
  }
}

/** The dictionary's rows about the partitions, in the order of the partitions. */
async function partitionRows(session: MysqlSession, { schema, name }: TableName): Promise<readonly SqlRow[]> {
  return await session.rows(
    `SELECT PARTITION_NAME, SUBPARTITION_NAME, PARTITION_METHOD, PARTITION_EXPRESSION, PARTITION_DESCRIPTION,
       CAST(TABLE_ROWS AS CHAR), CAST(COALESCE(DATA_LENGTH, 0) + COALESCE(INDEX_LENGTH, 0) AS CHAR)
     FROM information_schema.PARTITIONS
     WHERE TABLE_SCHEMA = ? AND TABLE_NAME = ? AND CAST(TABLE_NAME AS BINARY) = ? AND PARTITION_NAME IS NOT NULL
     ORDER BY PARTITION_ORDINAL_POSITION`,
    [schema ?? null, name, name],
  )
}

function ofOneColumn(expression: string): boolean {
  return !expression.replaceAll(/`(?:[^`]|``)*`|"(?:[^"]|"")*"/g, '').includes(',')
}

async function specOf(session: MysqlSession, { schema, name }: TableName, server: string) {
  const [[current] = []] = schema === undefined ? await session.rows('SELECT DATABASE()') : [[schema]]
  const database = String(current)
  // A dot would split the pattern at another place.
  const all = await findMysqlTables(session, `${database.replaceAll('.', '*')}.${name}`, server)
  const folded = (text: string): string => (session.facts.foldsTables ? text.toLowerCase() : text)
  const found = all.find(({ table }) => table.schema === database && folded(table.name) === folded(name))
  if (found !== undefined) return found
  throw new SluiceError('NO_SUCH_TABLE', `there is no table ${tableText({ schema: database, name })}`, {
    where: session.label,
    hint: `sluice discover ${shellQuote(session.label)} lists its tables`,
  })
}

function partitionsOf(rows: readonly SqlRow[], method: RangeMethod, where: string): readonly RangePartition[] {
  let from: string | null = null
  return rows.map(([name, , , , description, count, bytes]) => {
    const text = String(description)
    const to = text === 'MAXVALUE' ? null : method.read(text)
    if (to === undefined)
      throw unsupported(where, `sluice cannot read the bound ${text} of its partition ${String(name)}`)
    const partition: RangePartition = {
      name: { name: String(name) },
      identity: String(name),
      from,
      to,
      isDefault: to === null,
      rows: count == null ? null : BigInt(String(count)),
      bytes: bytes == null ? null : BigInt(String(bytes)),
    }
    from = to
    return partition
  })
}

/** Events of the server that partition the table; none if the login has no right to see them. */
async function eventsOf(session: MysqlSession, { schema, name }: TableName): Promise<string | null> {
  const rows = await session.rows(
    `SELECT EVENT_SCHEMA, EVENT_NAME FROM information_schema.EVENTS
     WHERE STATUS = 'ENABLED' AND EVENT_SCHEMA = ? AND LOCATE('PARTITION', UPPER(EVENT_DEFINITION)) > 0 AND LOCATE(?, EVENT_DEFINITION) > 0`,
    [schema ?? null, name],
  )
  const names = rows.map(([database, event]) => `${String(database)}.${String(event)}`)
  return names.length === 0 ? null : `the event${names.length === 1 ? '' : 's'} ${names.join(', ')} of the server`
}

function unsupported(where: string, reason: string): SluiceError {
  return new SluiceError(
    'UNSUPPORTED_TYPE',
    `the partitions of ${where} are not ranges of one column that sluice can maintain`,
    {
      where,
      reason,
      hint: 'create and drop these partitions by hand; sluice maintains only RANGE COLUMNS of a date or datetime, RANGE of a whole number, and RANGE of TO_DAYS, TO_SECONDS, YEAR or UNIX_TIMESTAMP',
    },
  )
}
