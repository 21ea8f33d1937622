/** Facts about the table of a plan, and helpers of the inspections that query it. */
import { tableText } from '../../../../model/copy/column-type.ts'
import { SluiceError } from '../../../../shared/errors.ts'
import type { PlanFinding, TableToPartition } from '../../../../model/partition/plan-port.ts'
import { quoteName } from '../../server/connect.ts'
import { missingTable } from '../../server/relation.ts'
import type { CopySession } from '../../server/session.ts'
import { literal, tableSql } from '../../server/sql.ts'

export type About = {
  readonly session: CopySession
  readonly oid: string
  readonly schema: string
  readonly name: string
  /** Schema and name, quoted for SQL. */
  readonly sql: string
  readonly column: string
  /** The column to partition by, quoted for SQL. */
  readonly by: string
  readonly attnum: string
  /** True if some row has NULL in the column. */
  readonly nulls: boolean
}

/** One inspection, about one topic. */
export type PlanInspection = (about: About) => Promise<readonly PlanFinding[]>

/** @param session has an empty search path, so that the server qualifies every name @throws SluiceError SOURCE_GONE */
export async function aboutTable(session: CopySession, planned: TableToPartition, nulls: boolean): Promise<About> {
  const { table } = planned.table
  const column = planned.column.name
  const schema = table.schema ?? 'public'
  const [row] = await session.ask(
    `SELECT c.oid, a.attnum FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
       JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attname = ${literal(column)} AND NOT a.attisdropped
     WHERE n.nspname = ${literal(schema)} AND c.relname = ${literal(table.name)} AND c.relkind IN ('r', 'p')`,
  )
  if (row === undefined) {
    throw new SluiceError('SOURCE_GONE', missingTable(table), {
      where: tableText(table),
      hint: 'run the same command again',
    })
  }
  const sql = tableSql({ schema, name: table.name })
  const [oid, attnum] = [row[0] ?? '', row[1] ?? '']
  return { session, oid, schema, name: table.name, sql, column, by: quoteName(column), attnum, nulls }
}

/** Joins names, as in `a, b and c`. */
export function andList(names: readonly string[]): string {
  return names.length < 2 ? (names[0] ?? '') : `${names.slice(0, -1).join(', ')} and ${names.at(-1)}`
}

/** Text for objects bound to the table's OID: they stay with the old table when the new one gets its name. */
export const BOUND = 'it is bound to the table by its OID, not by its name: it would stay with the old table'
