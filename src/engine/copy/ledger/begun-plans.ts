/** Copies that were started, as recorded in the ledger. */
import { tableText, type Column, type TableName, type TableSpec } from '../../../model/copy/column-type.ts'
import type { LedgerDatabase } from '../../../model/run/ledger-port.ts'
import { renamedColumns } from '../plan/plan-hash.ts'
import type { TableOptions } from '../plan/table-options.ts'
import { tableKeyOf } from './owner.ts'

export type BegunPlans = {
  /** Hash of the plan under which the copy into a table was started; null if there is none. */
  hashOf(table: TableName): Promise<string | null>
  /**
   * Returns the target name under which the ledger has a copy of the table; the first of `names` if it has none.
   * @param source `CopyStore.identity`
   */
  placeOf(source: string, table: TableName, names: readonly [TableName, ...TableName[]]): Promise<TableName>
  /**
   * The columns that the copy of a table wrote under another name, and those that its --columns named, with the key of
   * `table` and columns that both sides compute; null if there is no copy. @param source as in `placeOf`
   */
  columnsOf(
    source: string,
    table: TableSpec,
    target: TableSpec,
  ): Promise<Pick<TableOptions, 'rename' | 'columns'> | null>
}

/** Plan and options of a copy, as in `PlanRow`. */
type Begun = { readonly plan: string; readonly options: string }

/** @param database with a prepared ledger */
export function begunPlans(database: LedgerDatabase): BegunPlans {
  const planOf = async (source: string, table: TableName, target: TableName): Promise<Begun | null> => {
    const { schema, name } = tableKeyOf(target)
    const sql = 'SELECT plan, wishes FROM migration_plans WHERE schema_name = ? AND table_name = ? AND source_table = ?'
    const [[plan, options] = []] = await database.all(sql, [schema, name, tableText(table)])
    return plan !== undefined && isOf(String(plan), source) ? { plan: String(plan), options: String(options) } : null
  }
  return {
    hashOf: async (table) => {
      const { schema, name } = tableKeyOf(table)
      const sql = 'SELECT plan_hash FROM migration_plans WHERE schema_name = ? AND table_name = ?'
      const [row] = await database.all(sql, [schema, name])
      return row === undefined ? null : String(row[0])
    },
    placeOf: async (source, table, names) => {
      if (names.length === 1) return names[0]
      for (const one of names) if ((await planOf(source, table, one)) !== null) return one
      return names[0]
    },
    columnsOf: async (source, table, target) => {
      const begun = await planOf(source, table.table, target.table)
      if (begun === null) return null
      const rename = renamedColumns(begun.plan, table, target)
      const { columns } = JSON.parse(begun.options) as Pick<TableOptions, 'columns'>
      if (columns === undefined) return { rename }
      const wanted = new Set([...columns, ...table.key])
      const computed = new Set(target.columns.flatMap((one) => (one.generated === true ? [one.name] : [])))
      const isCompared = ({ name, generated }: Column): boolean =>
        wanted.has(name) || (generated === true && computed.has(rename.get(name) ?? name))
      return { rename, columns: table.columns.filter(isCompared).map(({ name }) => name) }
    },
  }
}

/** @param plan fields as `hashedFieldsUnder` returns them, as JSON */
function isOf(plan: string, source: string): boolean {
  return (JSON.parse(plan) as { readonly source?: unknown } | null)?.source === source
}
