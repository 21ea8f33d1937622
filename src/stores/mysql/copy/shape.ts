/** Facts about a table that is written to: whether it has transactions, and its unique indexes. */
import { tableText, type TableSpec } from '../../../model/copy/column-type.ts'
import { SluiceError } from '../../../shared/errors.ts'
import type { ChunkRequest } from '../../../model/copy/target-port.ts'
import type { MysqlSession } from '../session.ts'
import { groupBy } from '../../../shared/group-by.ts'
import { backquotedTable } from './names.ts'

export type MysqlTableShape = {
  /** Null if there is no such table. */
  readonly engine: string | null
  /** Columns of each unique index, by index name. Indexes with a prefix or an expression are left out. */
  readonly unique: ReadonlyMap<string, readonly string[]>
}

export async function mysqlTableShape(session: MysqlSession, { table }: TableSpec): Promise<MysqlTableShape> {
  const name = [table.schema ?? null, table.name]
  const here = 'COALESCE(?, DATABASE())'
  const [[engine] = []] = await session.rows(
    `SELECT ENGINE FROM information_schema.TABLES WHERE TABLE_SCHEMA = ${here} AND TABLE_NAME = ?`,
    name,
  )
  const parts = await session.rows(
    `SELECT INDEX_NAME, COLUMN_NAME, SUB_PART FROM information_schema.STATISTICS
      WHERE TABLE_SCHEMA = ${here} AND TABLE_NAME = ? AND NON_UNIQUE = 0 ORDER BY INDEX_NAME, SEQ_IN_INDEX`,
    name,
  )
  const unique = [...groupBy(parts, ([index]) => String(index))].flatMap(([index, some]) => {
    const isWhole = some.every(([, column, prefix]) => column != null && prefix == null)
    return isWhole ? [[index, some.map(([, column]) => String(column))] as const] : []
  })
  return { engine: engine == null ? null : String(engine), unique: new Map(unique) }
}

/** @throws SluiceError TABLE_REFUSED if rows could be lost, or remain after a failed chunk */
export function refuseUnfitEngine({ table }: ChunkRequest, { engine }: MysqlTableShape): void {
  const where = tableText(table.table)
  if (engine === null) {
    throw new SluiceError('TABLE_REFUSED', `the target has no table ${where}`, { hint: 'run the same command again' })
  }
  if (engine !== 'InnoDB') {
    throw new SluiceError('TABLE_REFUSED', `${where} is a table of ${engine}, which has no transactions`, {
      reason: 'rows of a failed chunk would stay in it',
      hint: `change its engine: ALTER TABLE ${backquotedTable(table.table)} ENGINE = InnoDB; or copy into another table`,
    })
  }
}

/** Name of the unique index on the table's key. @throws SluiceError TABLE_REFUSED if there is none */
export function keyIndex({ table, onExisting }: ChunkRequest, { unique }: MysqlTableShape): string {
  const key = new Set(table.key)
  for (const [index, columns] of unique) {
    if (columns.length === key.size && columns.every((column) => key.has(column))) return index
  }
  throw new SluiceError('TABLE_REFUSED', `${tableText(table.table)} has no unique index on ${table.key.join(', ')}`, {
    reason: `--on-existing ${onExisting} needs such an index to find rows`,
    hint: 'create a unique index on exactly these columns, or choose another --on-existing',
  })
}
