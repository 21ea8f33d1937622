/** Columns of an archive: type in the source, and type in the Delta table and its Parquet files. */
import type { Column, ColumnType, Expression } from '../copy/column-type.ts'

/** Primitive types of a Delta schema that archives use. Decimals are spelled `decimal(p,s)`. */
export type StoredType =
  | 'boolean'
  | 'byte'
  | 'short'
  | 'integer'
  | 'long'
  | 'float'
  | 'double'
  | 'string'
  | 'binary'
  | 'date'
  | 'timestamp'
  | 'timestamp_ntz'
  | `decimal(${number},${number})`

/**
 * A user-defined type of PostgreSQL: `range` also for multiranges, `base` for types of extensions. A value of an enum
 * is the name of a member; a value of a composite type lists attributes by position.
 */
export type DeclaredSourceType = {
  readonly name: string
  readonly kind: 'enum' | 'composite' | 'range' | 'domain' | 'base'
  /** Identity of the type in its database: changes if the type is recreated or restored from a dump. */
  readonly identity: string
  /**
   * Members or attributes in order; for ranges and domains one part with the underlying type. `number` survives a
   * rename as long as `identity` stays.
   */
  readonly parts: readonly { readonly number: string; readonly name: string; readonly type?: string }[]
}

/** Numbers that the source keeps for the columns of a table, by name; `of` identifies the table. */
export type ColumnNumbers = {
  readonly of: string
  readonly numbers: ReadonlyMap<string, number>
  /** User-defined types in the values of a column, by column name. */
  readonly declared: ReadonlyMap<string, readonly DeclaredSourceType[]>
}

export type StoredColumn = {
  /** Name in the source and in the schema of the Delta table. */
  readonly name: string
  /** Name in Parquet files, statistics and partition values: differs only if the name needs column mapping. */
  readonly physical: string
  /** Definition in the source; a restored table gets this definition. */
  readonly column: Column
  /**
   * Type in which values are transferred and proved (docs/reference/CANONICAL.md). `native`: as the source prints and
   * accepts them.
   */
  readonly as: ColumnType
  readonly stored: StoredType
  readonly comment?: string
  /** The source's number of the column, which survives a rename (PostgreSQL: `attnum`); absent if it has none. */
  readonly number?: number
  /** User-defined types in its values at the time of recording; absent if none, or if recorded by an older program. */
  readonly declared?: readonly DeclaredSourceType[]
  /** Expression of a generated column when it was recorded; absent for other columns, and in older records. */
  readonly computed?: Expression
  /** Id of the column mapping; absent if there is no mapping, or if the ids follow the order of the columns. */
  readonly id?: number
  /** Physical names of this column under earlier types, newest first. */
  readonly was?: readonly string[]
  /** Narrower types that files have under the same physical name, oldest first. */
  readonly narrower?: readonly StoredType[]
}

/** The columns of a table and the partitioning of its archive: the same for all its partitions. */
export type StoredTable = {
  readonly columns: readonly StoredColumn[]
  /** Partition column of the Delta table. It is not a column of the source. */
  readonly partitionColumn: string
  /** True if physical names differ from names, so that the table needs column mapping. */
  readonly mapped: boolean
  /** Source columns by which rows of a file are sorted. */
  readonly sortBy: readonly string[]
  /** Columns of the Delta table whose type in the source has changed; `name` is the name in the Delta table. */
  readonly kept?: readonly StoredColumn[]
  /** Physical names of columns that the source dropped: files have them, and they are never reused. */
  readonly retired?: readonly string[]
  /** Number of column changes since the archive was created; 0 if absent. */
  readonly shape?: number
  /** Largest id of the column mapping, and id of the partition column; absent like `StoredColumn.id`. */
  readonly lastId?: number
  readonly partitionId?: number
  /** Identity of the table that the `number`s belong to. */
  readonly numbersOf?: string
}
