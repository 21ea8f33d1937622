/**
 * What a column of any system holds, in the words of none of them. A pair of columns travels as one of these types, and is proved as it; the
 * canonical text of each stands in docs/CANONICAL.md.
 */
import type { ColumnSequence } from './sequence.ts'
import type { TableName } from './table-name.ts'

export type { TableName } from './table-name.ts'

export type ColumnType =
  | { readonly kind: 'bool' }
  | { readonly kind: 'int'; readonly bits: 8 | 16 | 24 | 32 | 64; readonly unsigned?: true }
  /**
   * Without precision: any number of digits. `cut`: values are rounded to so many digits behind the point, because somebody accepted that. `spelled`: its
   * system keeps 1.5 and 1.50 apart, which matters between two of them.
   */
  | {
      readonly kind: 'decimal'
      readonly precision?: number
      readonly scale?: number
      readonly cut?: number
      readonly spelled?: true
    }
  | { readonly kind: 'float'; readonly bits: 32 | 64 }
  /** `most` characters; `padded` is filled up with blanks that mean nothing. */
  | { readonly kind: 'text'; readonly most?: number; readonly padded?: true }
  | { readonly kind: 'bytes' }
  | { readonly kind: 'uuid' }
  /** `cut`: a time of day behind it is dropped, because somebody accepted that. */
  | { readonly kind: 'date'; readonly cut?: true }
  /** `digits` of the fraction of a second; `cut` as of decimals, but without rounding. */
  | { readonly kind: 'time'; readonly digits: number; readonly cut?: number }
  /** With `zone`: a moment. Without: what a clock on some wall shows. */
  | { readonly kind: 'timestamp'; readonly zone: boolean; readonly digits: number; readonly cut?: number }
  /** `spelled`: word for word, and not in canonical form. */
  | { readonly kind: 'json'; readonly spelled?: true }
  /** Travels as a JSON array. */
  | { readonly kind: 'list'; readonly of: ColumnType }
  /** Only its own system understands the text: ranges, intervals, points, enums and domains between equal systems. */
  | { readonly kind: 'native'; readonly name: string }

export type Column = {
  readonly name: string
  readonly type: ColumnType
  /** As the system declares it, with length and precision. */
  readonly native: string
  /** What the type is while the table holds no rows, where its rows say another one. */
  readonly typeOfNone?: ColumnType
  readonly nullable: boolean
  /** The system makes its values, and refuses others. */
  readonly generated?: true
  /** What a generated column is computed from; of tables that `BesideStore.detailed` has read. */
  readonly expression?: Expression
  /** The sequence that numbers it; of tables that a plan is made of. */
  readonly sequence?: ColumnSequence
  /** Numbered by the system where no value is given. */
  readonly identity?: true
  /** Left out of an INSERT it gets a value by itself. */
  readonly hasDefault?: true
  /** Its numbers are kept as texts, which is how the system compares and sorts them: '9' > '10'. */
  readonly asText?: true
  /** Its JSON is the text that was written; other columns of JSON drop doubled names and spell numbers in their own way. */
  readonly spelled?: true
  /** Of its values' texts the system does not make the same values again. */
  readonly oneWay?: true
  /** What its values are called in words that other systems know, where its own would be read by nobody else: a native type of that name. */
  readonly portable?: 'ewkb'
  /** Nobody but its system reads its values: they travel as the hexadecimal digits of its bytes. */
  readonly hexed?: true
  /** Collation that orders and compares it, where that is not by bytes. */
  readonly collation?: string
  /** The collation only sorts: texts are equal where their bytes are. */
  readonly sortsOnly?: true
  /** All rows of one partition of a ring share its value. */
  readonly static?: true
  /** No column of the table: the same value in every row, or key or value of an entry of a map that becomes rows. */
  readonly made?: 'constant' | 'key' | 'value'
  /** The value of a constant, as text. */
  readonly always?: string
}

/**
 * Of a generated column, in the SQL of its system, as its server prints it.
 * @property local it uses functions, operators, types or quoting that another database may not have: no new table gets it
 * @property printedBy version of the server, where another one may print the same expression in another way
 */
export type Expression = {
  readonly sql: string
  readonly stored: boolean
  readonly local?: true
  readonly printedBy?: string
}

export type TableOption = 'STRICT' | 'WITHOUT ROWID' | 'AUTOINCREMENT'

/** A table of any store, as it is found there. */
export type TableSpec = {
  readonly table: TableName
  /** Changes when the table is another one under the same name. */
  readonly identity: string
  readonly columns: readonly Column[]
  /** Columns that tell rows apart, in the order of their index; empty where nothing does. */
  readonly key: readonly string[]
  /** The key is the primary one, and not merely unique. */
  readonly primary: boolean
  /** Estimates of the system unless it can count for nothing. */
  readonly rows: bigint
  readonly bytes: bigint
  /** How the system itself cuts the table up, in a few words: `range (day), 12 partitions`. */
  readonly partitioning?: string
  /** There are columns that whoever asks may not read, and that are not among these: their system does not name them. */
  readonly hidesColumns?: true
  /** Tables inherit from it that have its columns and no others, and it is read without their rows, which a query of it shows. */
  readonly withoutHeirs?: true
  /** Its system keeps it out of the rows of this table, as `schema.name`: nothing can be written to it, and what it shows may lag behind. */
  readonly viewOf?: string
  /** Rows lie in numbered blocks that can be read by number (`block` ranges). */
  readonly blocks?: bigint
  /** Rows lie on a ring: ranges by key are ranges of one whole number that the first columns of the key hash to. */
  readonly ring?: RingSpec
  /** Options of the table that its system creates it with, such as `STRICT`; of tables that `BesideStore.detailed` has looked at. */
  readonly options?: readonly TableOption[]
  /** Types that its columns are made of and that somebody declared, each behind those that it is made of. */
  readonly types?: readonly UserType[]
  /** Options that it was created with, as its system writes them, by name; only its own system knows them. */
  readonly settings?: Readonly<Record<string, string>>
  /** The system keeps a write time and a time to live with each value; columns that do not tell theirs. */
  readonly times?: {
    readonly hidden: readonly string[]
    /** Columns whose elements have times of their own, of which one is read for all. */
    readonly ofElements?: readonly string[]
    /** Seconds after which the system removes rows that are written without a time to live. */
    readonly forced?: number
  }
}

/** A type with fields that has a name of its own. */
export type UserType = {
  readonly name: string
  /** Types as the system declares them. */
  readonly fields: readonly { readonly name: string; readonly native: string }[]
}

/** The numbers that keys hash to: Murmur3 tokens, those of the RandomPartitioner, or YCQL's `partition_hash`. */
export type RingSpec = {
  readonly partitioner: 'murmur3' | 'random' | 'ycql'
  /** How many columns of the key, from the first on, make the number. */
  readonly columns: number
  /** Columns of the rest of the key that rows of a partition lie in descending order of. */
  readonly descending?: readonly string[]
}

/** Whether only the system itself knows the type: its values may have no binary form, or one with numbers of this database. */
export function isNative(type: ColumnType): boolean {
  return type.kind === 'native' || (type.kind === 'list' && isNative(type.of))
}

/** Whether values lose something on their way, so that only our own code knows what they come to. */
export function isCut(type: ColumnType): boolean {
  return 'cut' in type && type.cut !== undefined
}

/** Columns of the key that rows may have no value in: ranges of keys leave such rows out. */
export function keyMayBeNull({ key, columns }: Pick<TableSpec, 'key' | 'columns'>): readonly string[] {
  return key.filter((name) => columns.find((column) => column.name === name)?.nullable === true)
}

/** Whether the bounds of its ranges are whole numbers, so that anybody can count with them. */
export function hasWholeBounds({ key, columns, ring }: TableSpec): boolean {
  if (ring !== undefined) return true
  return key.length === 1 && columns.find(({ name }) => name === key[0])?.type.kind === 'int'
}

/** `schema.name`, for messages. */
export function tableText({ schema, name }: TableName): string {
  return schema === undefined ? name : `${schema}.${name}`
}

/** Whether somebody means this table, who has written its name, or its schema's and its own. */
export function isCalled(table: TableName, name: string): boolean {
  return table.name === name || tableText(table) === name
}
