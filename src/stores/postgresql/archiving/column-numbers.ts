/** Numbers of columns, which stay what they are when a column gets another name. */
import type { TableName } from '../../../model/copy/column-type.ts'
import type { CopySession } from '../copy/session.ts'
import { literal } from '../copy/sql.ts'
import type { NumberedTable } from '../../copy-port.ts'
import { tableByIdentity, tableByName } from './known.ts'

/** `attnum` by name, and the oid of the table; null where there is no such table. */
export async function columnNumbers(
  session: CopySession,
  table: TableName,
): Promise<{ readonly of: string; readonly numbers: ReadonlyMap<string, number> } | null> {
  const found = await tableByName(session, table)
  if (found === null) return null
  return { of: found.oid, numbers: await numbersOf(session, found.oid) }
}

/** The table of an oid; null where there is none any more, and for a partition. */
export async function tableNumbered(session: CopySession, of: string): Promise<NumberedTable | null> {
  const found = await tableByIdentity(session, of)
  if (found === null || found.parent !== null || !['r', 'p'].includes(found.kind)) return null
  return { table: found.name, numbers: await numbersOf(session, of) }
}

async function numbersOf(session: CopySession, oid: string): Promise<ReadonlyMap<string, number>> {
  const rows = await session.ask(
    `SELECT attname, attnum FROM pg_catalog.pg_attribute WHERE attrelid = ${literal(oid)}::oid AND attnum > 0 AND NOT attisdropped`,
  )
  return new Map(rows.map(([name, number]) => [name ?? '', Number(number)]))
}
