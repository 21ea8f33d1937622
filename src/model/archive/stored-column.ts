/** Columns of an archive: what each holds in the source, and as what it stands in the Delta table and its Parquet files. */
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

/** An enum or a composite of PostgreSQL. The texts of its values name members, or give attributes by their places. */
export type DeclaredType = {
  readonly name: string
  readonly kind: 'enum' | 'composite'
  /** Identity of the type in its database: another one once it was dropped and created again, or restored from a dump. */
  readonly identity: string
  /** Members or attributes in their order. `number` stays under another name, as long as `identity` does. */
  readonly parts: readonly { readonly number: string; readonly name: string; readonly type?: string }[]
}

/** What the source calls the columns of a table for as long as they exist, by name, and the table (`of`) whose columns these are. */
export type ColumnNumbers = {
  readonly of: string
  readonly numbers: ReadonlyMap<string, number>
  /** Enums and composites that values of a column are made of, by the name of the column. */
  readonly declared: ReadonlyMap<string, readonly DeclaredType[]>
}

export type StoredColumn = {
  /** Its name in the source and in the schema of the Delta table. */
  readonly name: string
  /** Its name in Parquet files, statistics and partition values: another one only where the name needs column mapping. */
  readonly physical: string
  /** As the source has it; what a restored table gets back. */
  readonly column: Column
  /** As which type its values travel and are proved (docs/CANONICAL.md). `native`: the text that the source prints, and takes again. */
  readonly as: ColumnType
  readonly stored: StoredType
  readonly comment?: string
  /** What the source calls the column for as long as it exists, whatever its name (PostgreSQL: `attnum`); absent where it has none. */
  readonly number?: number
  /** Enums and composites that its values are made of, as they were when the column was noted; absent where it has none, or an older program noted it. */
  readonly declared?: readonly DeclaredType[]
  /** What a generated column was computed from when it was noted; absent of others, and where an older program noted it. */
  readonly computed?: Expression
  /** Of the column mapping; absent until the archive is mapped after it was made. */
  readonly id?: number
  /** Physical names of the same column under earlier types, the newest first. */
  readonly was?: readonly string[]
  /** Narrower types that files have under the same physical name, the oldest first. */
  readonly narrower?: readonly StoredType[]
}

/** The columns of a table and how its archive is cut up: the same for all of its partitions. */
export type StoredTable = {
  readonly columns: readonly StoredColumn[]
  /** Name of the column that the Delta table is partitioned by. It is no column of the source. */
  readonly partitionColumn: string
  /** Whether physical names differ from names, so that the table needs column mapping. */
  readonly mapped: boolean
  /** Names of source columns that rows of a file are sorted by. */
  readonly sortBy: readonly string[]
  /** Columns of the Delta table that the source has in another type by now; `name` is that of the Delta table. */
  readonly kept?: readonly StoredColumn[]
  /** Physical names of columns that the source has dropped: files have them, and no column gets one of them again. */
  readonly retired?: readonly string[]
  /** How often the columns have changed since the archive was made; 0 when absent. */
  readonly shape?: number
  /** Largest id of the column mapping, and that of the partition column; absent as `StoredColumn.id`. */
  readonly lastId?: number
  readonly partitionId?: number
  /** Identity of the table whose `number`s these are. */
  readonly numbersOf?: string
}
