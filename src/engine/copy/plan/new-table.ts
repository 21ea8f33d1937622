/** Definition of a table that is created in the target. */
import type { Column, TableName, TableSpec } from '../../../model/copy/column-type.ts'
import type { CopyStore } from '../../../model/copy/port.ts'
import type { TableOptions } from './table-options.ts'
import { givenFields } from '../../../shared/given-fields.ts'

/** @param chosen columns of the source to copy */
export function newTable(
  source: TableSpec,
  chosen: readonly Column[],
  table: TableName,
  options: TableOptions,
  to: CopyStore,
  sameSystem: boolean,
): TableSpec {
  const { rename } = options
  // Generated columns are created only if no columns are chosen and none is renamed. They keep the source's order.
  const order = new Map(source.columns.map(({ name }, at) => [rename.get(name) ?? name, at]))
  const placeOf = ({ name }: Column): number => (options.columns === undefined ? (order.get(name) ?? order.size) : 0)
  const made = chosen.map((column): Column => newColumn(column, source, options, to, sameSystem))
  const carried = sameSystem ? carriedColumns(source, options) : []
  const columns = [...made, ...carried].toSorted((a, b) => placeOf(a) - placeOf(b))
  const { ring } = source
  const key = source.key.map((name) => rename.get(name) ?? name)
  return {
    table,
    identity: '',
    columns,
    key,
    // A key that may be NULL can be a primary key in SQLite only.
    primary: (sameSystem && source.primary) || !made.some(({ name, nullable }) => nullable && key.includes(name)),
    ...(sameSystem && source.nullsEqual === true ? { nullsEqual: true as const } : {}),
    rows: 0n,
    bytes: 0n,
    ...(sameSystem && source.types !== undefined ? { types: source.types } : {}),
    ...(sameSystem && source.options !== undefined ? { options: source.options } : {}),
    ...(sameSystem && source.settings !== undefined && to.offers.tableOptions !== undefined
      ? { settings: to.offers.tableOptions.fitted(source.settings).kept }
      : {}),
    ...(sameSystem && source.times !== undefined ? { times: { hidden: source.times.hidden } } : {}),
    // The created table has a ring like its source. Whether both rings are the same is unknown before its creation.
    ...(sameSystem && ring !== undefined
      ? {
          ring: {
            ...ring,
            ...(ring.descending === undefined
              ? {}
              : { descending: ring.descending.map((name) => rename.get(name) ?? name) }),
          },
        }
      : {}),
  }
}

/** The column that a copy creates for a column of the source. */
export function newColumn(
  column: Column,
  source: TableSpec,
  { rename, decimal }: Pick<TableOptions, 'rename' | 'decimal'>,
  to: Pick<CopyStore, 'declare'>,
  sameSystem: boolean,
): Column {
  const { name, nullable, type, native, sequence, sortedAs, spelled, exactAs, fields, typeSql } = column
  const isKnown = sameSystem && !(column.made !== undefined && type.kind === 'text')
  const declared = isKnown
    ? {
        native,
        type,
        ...(spelled === true ? { spelled } : {}),
        ...givenFields({ sortedAs, exactAs, fields, typeSql }),
      }
    : to.declare(type, source.key.includes(name), {
        ...(decimal === undefined ? {} : { decimal }),
        ...(spelled === true ? { spelled } : {}),
      })
  const numbered = column.identity === true || (sequence !== undefined && (!sameSystem || sequence.named === undefined))
  return {
    name: rename.get(name) ?? name,
    ...declared,
    // Only SQLite accepts NULL in a primary key.
    nullable: nullable && (sameSystem || !source.primary || !source.key.includes(name)),
    ...(numbered ? { identity: true } : {}),
    ...(sequence === undefined ? {} : { sequence: { ...sequence, column: rename.get(name) ?? name } }),
    ...(sameSystem && column.collation !== undefined ? { collation: column.collation } : {}),
    ...(sameSystem && column.static === true ? { static: true } : {}),
  }
}

/** Generated columns with the unchanged expressions of the source; none if columns are chosen or renamed. */
function carriedColumns(source: TableSpec, { columns, rename }: TableOptions): readonly Column[] {
  if (columns !== undefined || rename.size > 0) return []
  return source.columns.flatMap(({ name, type, native, nullable, generated, expression, collation }) => {
    if (generated !== true || expression === undefined || expression.local === true) return []
    return [{ name, type, native, nullable, generated, expression, ...(collation === undefined ? {} : { collation }) }]
  })
}

/** Settings of the source that a created table does not get. @param found the existing table */
export function lostSettings(
  { settings }: TableSpec,
  found: TableSpec | null,
  to: CopyStore,
  sameSystem: boolean,
): { readonly settingsLeft?: readonly string[] } {
  // An existing table keeps the settings of its owner.
  if (found !== null || !sameSystem || settings === undefined) return {}
  const left = to.offers.tableOptions?.fitted(settings).left ?? []
  return left.length === 0 ? {} : { settingsLeft: left }
}
