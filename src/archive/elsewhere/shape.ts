/** Columns of archived rows for another table. Partitions archived before a column was added do not have it. */
import type { ArchivedPartition, ArchiveRecord } from '../ledger/record.ts'
import { folded } from '../types/names.ts'
import { isCarried } from '../types/index.ts'
import type { StoredColumn } from '../../model/archive/stored-column.ts'
import { tableText, type Column, type ColumnType, type TableSpec } from '../../model/copy/column-type.ts'
import type { StoreAbilities } from '../../model/copy/abilities.ts'
import { SluiceError } from '../../shared/errors.ts'

/** A column of the files, under the current name in the table. */
export type ArchivedShapeColumn = {
  readonly name: string
  readonly file: StoredColumn
  /** True if the files of some partitions lack the column. */
  readonly partial: boolean
}

/**
 * All columns in the files of these partitions, in the order of the table.
 * @param folds `columns`: the target treats column names as equal that differ only in case
 * @throws SluiceError TABLE_REFUSED if two different columns have the same name
 */
export function archivedShape(
  { stored, table }: Pick<ArchiveRecord, 'stored' | 'table'>,
  partitions: readonly ArchivedPartition[],
  { folds }: Pick<StoreAbilities, 'folds'>,
): readonly ArchivedShapeColumn[] {
  const now = new Map(stored.columns.map(({ physical, name }, at) => [physical, { name, at }]))
  const found = new Map<string, { readonly file: StoredColumn; count: number; readonly of: string }>()
  const names = new Map<string, Named>()
  const spelled = (name: string): string => (folds?.columns === true ? folded(name) : name)
  for (const { columns, label } of partitions) {
    const present = new Set(columns.flatMap(({ physical }) => now.get(physical)?.name ?? []).map(spelled))
    for (const file of columns) {
      const name = now.get(file.physical)?.name ?? nameOfDropped(file.name, (one) => present.has(spelled(one)))
      const other = names.get(spelled(name))
      const one = { name, file, of: label }
      const widest = other === undefined ? one : widestOf(other, one)
      if (widest === null) throw twoColumns(tableText(table), name, [...(other === undefined ? [] : [other]), one])
      names.set(spelled(name), widest)
      const known = found.get(file.physical)
      if (known === undefined) found.set(file.physical, { file, count: 1, of: label })
      else known.count++
    }
  }
  const place = ({ physical }: StoredColumn): number => now.get(physical)?.at ?? stored.columns.length
  return [...names.values()]
    .map(({ name, file }): ArchivedShapeColumn => {
      const count = found.get(file.physical)?.count ?? 0
      return { name, file, partial: count < partitions.length }
    })
    .toSorted((a, b) => place(a.file) - place(b.file))
}

/** Name for a dropped column: its old name, with `__dropped` if a column of the same partition has that name now. */
function nameOfDropped(name: string, isPresent: (name: string) => boolean): string {
  return isPresent(name) ? nameOfDropped(`${name}__dropped`, isPresent) : name
}

type Named = { readonly name: string; readonly file: StoredColumn; readonly of: string }

/**
 * Returns `a` or `b`: the one whose type holds the values of both unchanged. Null if neither type does, or if they are
 * different columns.
 */
function widestOf(a: Named, b: Named): Named | null {
  if (a.file.physical !== b.file.physical) return null
  if (JSON.stringify(a.file.as) === JSON.stringify(b.file.as) || isCarried(b.file.as, a.file.as)) return a
  return isCarried(a.file.as, b.file.as) ? b : null
}

function twoColumns(
  table: string,
  name: string,
  both: readonly { readonly file: StoredColumn; readonly of: string }[],
): SluiceError {
  const what = both.map(({ file, of }) => `${file.column.native} in ${of}`).join(', ')
  return new SluiceError(
    'TABLE_REFUSED',
    `these partitions of ${table} cannot be restored together: column ${name} is ${what}`,
    {
      where: table,
      reason: 'one column of a table cannot store values of both types unchanged',
      hint: 'restore these partitions into separate tables, with one command each',
    },
  )
}

/**
 * The archived rows as a table of the source, for planTable. No column is generated or auto-incremented: such values
 * were archived as plain values.
 * @param now the current table; without columns if it was dropped
 * @param sameSystem true if the target prints and reads values as the source does
 */
export function tableOfShape(
  shape: readonly ArchivedShapeColumn[],
  record: Pick<ArchiveRecord, 'table'>,
  now: TableSpec,
  rows: bigint,
  sameSystem: boolean,
): TableSpec {
  const hasKey = now.key.length > 0 && now.key.every((name) => shape.some((one) => one.name === name && !one.partial))
  const columns = shape.map((one): Column => {
    const { nullable } = one.file.column
    return { ...(sameSystem ? own(one) : foreign(one)), name: one.name, nullable: nullable || one.partial }
  })
  return {
    table: record.table,
    identity: now.identity,
    columns,
    key: hasKey ? now.key : [],
    primary: hasKey && now.primary,
    rows,
    bytes: 0n,
    ...(sameSystem && now.types !== undefined ? { types: now.types } : {}),
  }
}

type Kept = Pick<Column, 'type' | 'native' | 'sortedAs' | 'spelled' | 'oneWay' | 'portable' | 'hexed' | 'collation'>

function own({ file: { column } }: ArchivedShapeColumn): Kept {
  const { type, native, sortedAs, spelled, oneWay, portable, hexed, collation } = column
  return {
    type,
    native,
    ...(sortedAs === undefined ? {} : { sortedAs }),
    ...(spelled === true ? { spelled } : {}),
    ...(oneWay === true ? { oneWay } : {}),
    ...(portable === undefined ? {} : { portable }),
    ...(hexed === true ? { hexed } : {}),
    ...(collation === undefined ? {} : { collation }),
  }
}

/** In another system, a system-specific type becomes text, except JSON and DECIMAL, which all systems read alike. */
function foreign({ file: { column, as } }: ArchivedShapeColumn): Kept {
  const { native, type, spelled } = column
  if (as.kind !== 'native') return { native, type: as }
  if (type.kind === 'json') return { native, type, ...(spelled === true ? { spelled } : {}) }
  if (type.kind === 'decimal') return { native, type: plainDecimal(type) }
  return { native, type: { kind: 'text' } }
}

function plainDecimal({ precision, scale }: ColumnType & { readonly kind: 'decimal' }): ColumnType {
  return {
    kind: 'decimal',
    ...(precision === undefined ? {} : { precision }),
    ...(scale === undefined ? {} : { scale }),
  }
}
