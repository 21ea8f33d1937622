/** Types of key columns whose declaration gives no type, if source and target have inferred them from their own rows. */
import { isDeepStrictEqual } from 'node:util'
import { isNative, type Column, type ColumnType, type TableSpec } from '../../../model/copy/column-type.ts'
import { columnCalled } from './column-plans.ts'
import type { TableOptions } from './table-options.ts'

/**
 * A table of the source and its existing table of the target; null if the table has to be created.
 * @property mixed set if rows of the target have keys of another type than the plan has
 */
export type TablePair = { readonly source: TableSpec; readonly target: TableSpec | null; readonly mixed?: true }

/**
 * The tables as they are planned: with `intoEmpty`, the target has the types of an empty table. If both systems are of
 * one family, each untyped key column has one type on both sides, because the text 1 and the number 1 are different
 * keys: the type of the source if the target shows none, and otherwise any value if the types differ.
 */
export function withKeyTypes(
  { source, target }: TablePair,
  { key = source.key, rename, intoEmpty }: Pick<TableOptions, 'key' | 'rename' | 'intoEmpty'>,
  sameSystem: boolean,
): TablePair {
  const asFound = { source, target: intoEmpty === true && target !== null ? asEmpty(target) : target }
  if (!sameSystem) return asFound
  return source.columns
    .filter(({ name }) => key.includes(name))
    .reduce<TablePair>((pair, column) => {
      const other = target === null ? undefined : columnCalled(rename.get(column.name) ?? column.name, target)
      return withOneType(pair, column, other, intoEmpty === true)
    }, asFound)
}

function asEmpty(table: TableSpec): TableSpec {
  return { ...table, columns: table.columns.map((column) => ({ ...column, type: column.typeOfNone ?? column.type })) }
}

/** @param other the column as the target has it; undefined if the table or the column has to be created */
function withOneType(pair: TablePair, column: Column, other: Column | undefined, intoEmpty: boolean): TablePair {
  const free = column.typeOfNone
  if (free === undefined || !isNative(free)) return pair
  if (other === undefined) return { ...pair, source: withTyped(pair.source, column, column.type) }
  const isAlike = column.native === other.native && column.exactAs === other.exactAs
  if (!isAlike || !isDeepStrictEqual(free, other.typeOfNone)) return pair
  const isOne = other.noneSeen === true || isDeepStrictEqual(column.type, other.type)
  const type = isOne || intoEmpty ? column.type : free
  return {
    ...pair,
    source: withTyped(pair.source, column, type),
    target: pair.target === null ? null : withTyped(pair.target, other, type),
    ...(isOne ? {} : { mixed: true }),
  }
}

function withTyped(table: TableSpec, { name }: Column, type: ColumnType): TableSpec {
  return {
    ...table,
    columns: table.columns.map((one) => (one.name === name ? { ...one, type, oneClass: true as const } : one)),
  }
}
