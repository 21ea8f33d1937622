/** Plans the columns and types of archived rows in another table, by the rules of `copy`. */
import type { ArchivedPartition, ArchiveRecord } from '../ledger/record.ts'
import { otherMeaning } from '../types/index.ts'
import type { ArchiveContext } from '../steps/context.ts'
import type { Destination } from '../steps/elsewhere/destination.ts'
import { converter } from '../../model/copy/convert.ts'
import { tableText, type ColumnType, type TableName, type TableSpec } from '../../model/copy/column-type.ts'
import type { ColumnPlan } from '../../model/copy/plan.ts'
import type { Cell, Row } from '../../model/copy/rows.ts'
import { SluiceError } from '../../shared/errors.ts'
import type { CopyStore } from '../../model/copy/port.ts'
import { planTable } from '../../engine/copy/plan/table-plan.ts'
import { sameFamily } from '../../engine/run/systems.ts'
import { archivedShape, tableOfShape, type ArchivedShapeColumn } from './shape.ts'

export type PlannedRestore = {
  /** The existing table, or the one to create. */
  readonly table: TableSpec
  readonly create: boolean
  readonly columns: readonly ColumnPlan[]
  /** Archived columns to write, in the order of `columns`. */
  readonly shape: readonly ArchivedShapeColumn[]
  /** Archived columns that are generated columns of the existing table. */
  readonly computed: readonly string[]
}

/**
 * @param found the existing table; null if it is created
 * @throws SluiceError TABLE_REFUSED, UNSUPPORTED_TYPE, LOSSY_TYPE, UNSUPPORTED_KEY
 */
export async function planOtherTable(
  { store: from, table: now, interrupt }: Pick<ArchiveContext, 'store' | 'table' | 'interrupt'>,
  record: ArchiveRecord,
  partitions: readonly ArchivedPartition[],
  to: CopyStore,
  name: TableName,
  found: TableSpec | null,
): Promise<PlannedRestore> {
  const generated = new Set(found?.columns.flatMap((one) => (one.generated === true ? [one.name] : [])))
  const all = archivedShape(record, partitions, to.can)
  const shape = all.filter((one) => !generated.has(one.name))
  const computed = all.flatMap(({ name: column }) => (generated.has(column) ? [column] : []))
  const rows = partitions.reduce((sum, { digest }) => sum + (digest?.rows ?? 0n), 0n)
  const same = sameFamily(from.system, to.system)
  const given = tableOfShape(shape, record, now, rows, same)
  try {
    const plan = planTable(from, to, given, found, name, {
      rename: new Map(),
      onExisting: 'append',
      acceptLossy: [],
      verify: 'chunk',
    })
    if (plan.create) await to.refuseUncreatable(plan.target, interrupt.abort)
    const columns = plan.columns.map((column) => ({ ...column, as: transferType(column, shape, same) }))
    return { table: plan.target, create: plan.create, columns, shape, computed }
  } catch (thrown) {
    throw thrown instanceof SluiceError ? reworded(thrown, found) : thrown
  }
}

/** Refuses a table whose types give archived texts another meaning. @throws SluiceError TABLE_REFUSED */
export async function refuseOtherMeaning(
  to: CopyStore,
  table: TableSpec,
  partitions: readonly ArchivedPartition[],
  { columns, shape }: PlannedRestore,
  signal: AbortSignal,
): Promise<void> {
  const noted = (await to.offers.columnFacts?.numbers(table, signal)) ?? null
  for (const { from, to: name } of columns) {
    const physical = shape.find((one) => one.name === from)?.file.physical
    const declared = noted?.declared.get(name) ?? []
    for (const { columns: files, label } of partitions) {
      const file = files.find((column) => column.physical === physical)
      const other = file === undefined ? null : otherMeaning(file, { declared })
      if (other === null) continue
      throw new SluiceError(
        'TABLE_REFUSED',
        `${label} cannot be restored into ${tableText(table.table)}, because column ${name} would change the meaning of archived values: ${other}`,
        {
          where: to.label,
          reason: 'the type of the column differs from the archived one; no row was written',
          hint: `create a table with a text column for ${name}, and name it with --into`,
        },
      )
    }
  }
}

/** Type in which values are transferred. Between equal types of one system it is the archived type: no conversion. */
function transferType(
  { source, target, as, from }: ColumnPlan,
  shape: readonly ArchivedShapeColumn[],
  same: boolean,
): ColumnType {
  const file = shape.find(({ name }) => name === from)?.file
  // A list is archived as its system prints it, which is not JSON.
  if (same && file?.as.kind === 'native' && source.type.kind === 'list' && target.type.kind === 'text')
    return target.type
  return same && file !== undefined && source.native === target.native ? file.as : as
}

export function destinationOf(store: CopyStore, table: TableSpec, { columns, shape }: PlannedRestore): Destination {
  return {
    store,
    table,
    columns: columns.map(({ to, as, target }) => ({
      name: to,
      as,
      column: table.columns.find(({ name }) => name === to) ?? target,
    })),
    rowOf: (partition) => {
      const cells = columns.map((column) => cellOf(column, shape, partition, tableText(table.table)))
      return (row: Row) => cells.map((cell) => cell(row))
    },
  }
}

function cellOf(
  { from, as }: ColumnPlan,
  shape: readonly ArchivedShapeColumn[],
  { columns, label }: ArchivedPartition,
  table: string,
): (row: Row) => Cell {
  const physical = shape.find(({ name }) => name === from)?.file.physical
  const at = columns.findIndex((column) => column.physical === physical)
  const file = columns[at]
  if (file === undefined) return () => null
  if (JSON.stringify(file.as) === JSON.stringify(as)) return (row) => row[at] ?? null
  const convert = converter(file.as.kind === 'native' ? { kind: 'text' } : file.as, as)
  return (row) => {
    const cell = row[at] ?? null
    if (cell === null) return null
    try {
      return convert(cell)
    } catch (thrown) {
      if (!(thrown instanceof SluiceError) || thrown.code !== 'VALUE_REFUSED') throw thrown
      throw new SluiceError('VALUE_REFUSED', `${from} of a row of ${label}: ${thrown.message}`, {
        where: table,
        reason: 'the table would store a different value than the archive; nothing was changed',
        hint: 'create the table with a text type for this column, and name it with --into',
      })
    }
  }
}

/** Replaces hints that name flags of `copy`, which `restore` does not have. */
function reworded({ code, message, where, reason, kind }: SluiceError, found: TableSpec | null): SluiceError {
  const hint =
    found === null
      ? 'create the table with columns that can hold these values, such as text, and name it with --into'
      : 'name a new table with --into, and it is created; or alter this table'
  return new SluiceError(code, message, { kind, where, reason, hint })
}
