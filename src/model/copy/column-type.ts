/**
 * Column types that do not depend on a system. Values of a pair of columns are transferred and proved as one of these
 * types; docs/reference/CANONICAL.md defines the canonical text of each.
 */
import type { ColumnSequence } from './sequence.ts'
import type { TableName } from './table-name.ts'

export type { TableName } from './table-name.ts'

export type ColumnType =
  | { readonly kind: 'bool' }
  | { readonly kind: 'int'; readonly bits: 8 | 16 | 24 | 32 | 64; readonly unsigned?: true }
  /**
   * Without precision: any number of digits. `cut`: values are rounded to this many decimal places, because the user
   * accepted the loss. `spelled`: its system distinguishes 1.5 and 1.50, which matters between two such systems.
   */
  | {
      readonly kind: 'decimal'
      readonly precision?: number
      readonly scale?: number
      readonly cut?: number
      readonly spelled?: true
    }
  | { readonly kind: 'float'; readonly bits: 32 | 64 }
  /** `most`: length limit in characters; `padded`: values are padded with insignificant blanks. */
  | { readonly kind: 'text'; readonly most?: number; readonly padded?: true }
  | { readonly kind: 'bytes' }
  | { readonly kind: 'uuid' }
  /** `cut`: a time of day is dropped, because the user accepted the loss. */
  | { readonly kind: 'date'; readonly cut?: true }
  /** `digits` of the fraction of a second; `cut` as for decimals, but without rounding. */
  | { readonly kind: 'time'; readonly digits: number; readonly cut?: number }
  /** With `zone`: an instant. Without: a local time. */
  | { readonly kind: 'timestamp'; readonly zone: boolean; readonly digits: number; readonly cut?: number }
  /** `spelled`: the text as written, not in canonical form. */
  | { readonly kind: 'json'; readonly spelled?: true }
  /** Transferred as a JSON array. */
  | { readonly kind: 'list'; readonly of: ColumnType }
  /** Text that only its own system can parse: ranges, intervals, points, enums and domains between equal systems. */
  | { readonly kind: 'native'; readonly name: string }

export type Column = {
  readonly name: string
  readonly type: ColumnType
  /** As declared in the system, with length and precision. */
  readonly native: string
  /** Declared type, valid while the table is empty; set if `type` was inferred from rows (SQLite). */
  readonly typeOfNone?: ColumnType
  /** Set if `type` is `typeOfNone` because none of the first rows has a value. */
  readonly noneSeen?: true
  /** Set in plans if a value of another storage class is refused, although its text is one of `type` (SQLite). */
  readonly oneClass?: true
  readonly nullable: boolean
  /** Set if the system computes its values and refuses others. */
  readonly generated?: true
  /** Expression of a generated column; only for tables read by `DependencyStore.detailed`. */
  readonly expression?: Expression
  /** Sequence that generates its values; only for tables of a plan. */
  readonly sequence?: ColumnSequence
  /** Set if the system generates a number for it when an INSERT gives no value. */
  readonly identity?: true
  /** Set if it has a default value for an INSERT that omits it. */
  readonly hasDefault?: true
  /**
   * Set if the system compares and sorts its values by another type: numbers stored as text ('9' > '10'), or texts in a
   * column of SQLite that keeps the text of a number as this number ('9' < '10').
   */
  readonly sortedAs?: 'text' | 'number'
  /** Set if it keeps JSON as written; other JSON columns drop duplicate names and normalise numbers. */
  readonly spelled?: true
  /**
   * Native type in which two columns with the same declaration exchange values. Set if the column is in no key and can
   * store values that their canonical form would change, such as 1.50 of a decimal without a scale, 0000-00-00, or
   * 'true' in a BOOLEAN of SQLite.
   */
  readonly exactAs?: string
  /** Set if its system prints trailing zeros of decimals; a text column of the target keeps them. */
  readonly zeros?: true
  /** Fields of its composite type in order, as the system describes them: the text of a value does not name them. */
  readonly fields?: string
  /** Statement that creates its enum type or domain, for the hint of a target that lacks the type. */
  readonly typeSql?: string
  /** Set if the system cannot recreate the same values from their texts. */
  readonly oneWay?: true
  /** What the text of a value does not keep; set if its system has no other form of the value that it can read. */
  readonly textLoses?: string
  /** Portable form of its values, if no other system can read the native form. `ewkb` also names a native type. */
  readonly portable?: 'ewkb'
  /** Set if only its own system can interpret its values: they are copied as the hexadecimal digits of their bytes. */
  readonly hexed?: true
  /** Collation by which it is sorted and compared; absent if by bytes. */
  readonly collation?: string
  /** Set if the collation only sorts: texts are equal if their bytes are equal. */
  readonly sortsOnly?: true
  /** Set if all rows of one partition share its value (Cassandra). */
  readonly static?: true
  /** Not a column of the source table: a constant, or the key or value of a map entry that becomes a row. */
  readonly made?: 'constant' | 'key' | 'value'
  /** The value of a constant, as text. */
  readonly always?: string
}

/**
 * Expression of a generated column, in the SQL of its system, as its server prints it.
 * @property local set if new tables omit it: it uses functions, operators, types or quoting that a database may lack
 * @property printedBy version of the server, if another one may print the same expression differently
 */
export type Expression = {
  readonly sql: string
  readonly stored: boolean
  readonly local?: true
  readonly printedBy?: string
}

export type TableOption = 'STRICT' | 'WITHOUT ROWID' | 'AUTOINCREMENT'

/** A table as its store describes it. */
export type TableSpec = {
  readonly table: TableName
  /** Changes if the table is replaced by another one with the same name. */
  readonly identity: string
  readonly columns: readonly Column[]
  /** Key columns in the order of their index; empty if there is no key. */
  readonly key: readonly string[]
  /** True for a primary key, false for a unique one. */
  readonly primary: boolean
  /** Floating point column of a key. Such a key is not used, because systems compare these numbers differently. */
  readonly floatKey?: string
  /** Set if NULLs are equal in the unique key (`NULLS NOT DISTINCT`). */
  readonly nullsEqual?: true
  /** Set if constraints declare that a row which violates them is ignored, or replaces others. */
  readonly declaresConflicts?: true
  /** Estimated by the system, or exact if counting costs nothing. */
  readonly rows: bigint
  readonly bytes: bigint
  /** Native partitioning as short text: `range (day), 12 partitions`. */
  readonly partitioning?: string
  /** Set if columns are missing here: the login has no right to read them, and the system does not name them. */
  readonly hidesColumns?: true
  /** Set if all tables that inherit from it have exactly its columns. Their rows are not read: reads use ONLY. */
  readonly withoutHeirs?: true
  /** Materialized view of this table (`schema.name`): it cannot be written, and its rows may lag behind. */
  readonly viewOf?: string
  /** Rows are stored in numbered blocks that can be read by number (`block` ranges). */
  readonly blocks?: bigint
  /** Rows lie on a token ring: key ranges are ranges of the integer hash of the first key columns. */
  readonly ring?: RingSpec
  /** Creation options of the table, such as `STRICT`; only for tables read by `DependencyStore.detailed`. */
  readonly options?: readonly TableOption[]
  /** User-defined types of its columns, each after the types that it uses. */
  readonly types?: readonly UserType[]
  /** Creation options by name, as its system writes them; only its own system can use them. */
  readonly settings?: Readonly<Record<string, string>>
  /** The system stores a write time and a TTL with each value. `hidden`: columns whose times cannot be read. */
  readonly times?: {
    readonly hidden: readonly string[]
    /** Columns whose elements have times of their own; one time is read for all elements. */
    readonly ofElements?: readonly string[]
    /** Default TTL in seconds, for rows written without a TTL. */
    readonly forced?: number
  }
}

/** A named type with fields. */
export type UserType = {
  readonly name: string
  /** Types as the system declares them. */
  readonly fields: readonly { readonly name: string; readonly native: string }[]
}

/** The hash of keys: Murmur3 tokens, RandomPartitioner tokens, or YCQL's `partition_hash`. */
export type RingSpec = {
  readonly partitioner: 'murmur3' | 'random' | 'ycql'
  /** Number of leading key columns that are hashed. */
  readonly columns: number
  /** Clustering columns that are sorted in descending order. */
  readonly descending?: readonly string[]
}

/** True for a type that only its system has: its binary form may not exist, or may contain ids of this database. */
export function isNative(type: ColumnType): boolean {
  return type.kind === 'native' || (type.kind === 'list' && isNative(type.of))
}

/** True if the copy rounds or truncates values: only sluice's own code can then compute the expected result. */
export function isCut(type: ColumnType): boolean {
  return 'cut' in type && type.cut !== undefined
}

/** Nullable key columns. Key ranges do not include rows with NULL in one of them. */
export function keyMayBeNull({ key, columns }: Pick<TableSpec, 'key' | 'columns'>): readonly string[] {
  return key.filter((name) => columns.find((column) => column.name === name)?.nullable === true)
}

/** True if the bounds of the table's key ranges are integers, so that arithmetic with them is possible. */
export function hasWholeBounds({ key, columns, ring }: TableSpec): boolean {
  if (ring !== undefined) return true
  return key.length === 1 && columns.find(({ name }) => name === key[0])?.type.kind === 'int'
}

/**
 * `schema.name`, for messages, and as a key. A schema with a dot is in double quotes: the first dot outside of quotes
 * ends the schema, so two tables of one database have different texts.
 */
export function tableText({ schema, name }: TableName): string {
  if (schema === undefined) return name
  return `${schema.includes('.') ? `"${schema.replaceAll('"', '""')}"` : schema}.${name}`
}

/** `tableText` of versions up to 2026-11, without quotes. */
export function tableTextBefore({ schema, name }: TableName): string {
  return schema === undefined ? name : `${schema}.${name}`
}

const QUOTED = /^(?:("(?:[^"]|"")+"|[^".*]+)\.)?("(?:[^"]|"")+"|[^".*]+)$/su

/** The table that a text names with double quotes, as in SQL; null for a text without quotes or of another form. */
export function quotedTable(text: string): TableName | null {
  const [, schema, name] = (text.includes('"') ? QUOTED.exec(text) : null) ?? []
  if (name === undefined) return null
  return schema === undefined ? { name: unquoted(name) } : { schema: unquoted(schema), name: unquoted(name) }
}

function unquoted(part: string): string {
  return part.startsWith('"') ? part.slice(1, -1).replaceAll('""', '"') : part
}

/**
 * The found tables that have exactly this schema and name, or exactly this name if it has a `*`; otherwise all found
 * tables. A table of the name `*` is found alone only by its name in double quotes.
 */
export function calledExactly<T>(found: readonly T[], text: string, nameOf: (one: T) => TableName): readonly T[] {
  const quoted = quotedTable(text)
  const wanted = quoted?.schema === undefined ? text : tableText(quoted)
  const some = found.filter((one) => quoted !== null || !/^[*.]+$/.test(nameOf(one).name))
  const exact = some.filter((one) => tableText(nameOf(one)) === wanted)
  if (exact.length > 0) return exact
  const alike = text.includes('*') ? some.filter((one) => nameOf(one).name === text) : []
  return alike.length > 0 ? alike : found
}

/** True if a text that matches the table is its name: it has no `*`, or the name itself has it. */
export function isNamedBy(table: TableName, text: string): boolean {
  return !text.includes('*') || quotedTable(text) !== null || isCalled(table, text)
}

/** Splits a user's text into schema (`''` if there is none) and name. Without quotes, the first dot ends the schema. */
export function namedParts(text: string): readonly [schema: string, name: string] {
  const quoted = quotedTable(text)
  if (quoted !== null) return [quoted.schema ?? '', quoted.name]
  const dot = text.indexOf('.')
  return [text.slice(0, Math.max(dot, 0)), text.slice(dot + 1)]
}

/** A user's text for a table as messages print it: without the double quotes of SQL. */
export function plainName(text: string): string {
  const quoted = quotedTable(text)
  return quoted === null ? text : tableText(quoted)
}

/** True if `name` is the table's name, with or without its schema, and with or without the double quotes of SQL. */
export function isCalled(table: TableName, name: string): boolean {
  const texts = [table.name, tableText(table), tableTextBefore(table)]
  return texts.includes(name) || texts.includes(plainName(name))
}

/** `floatKey` of a table without a key. @param keys columns of its unique indexes */
export function floatKeyOf(
  columns: readonly Column[],
  keys: readonly (readonly string[])[],
): Pick<TableSpec, 'floatKey'> {
  const float = columns.find(({ name, type }) => type.kind === 'float' && keys.some((names) => names.includes(name)))
  return float === undefined ? {} : { floatKey: float.name }
}

/** Text about a table without a key, without its subject. */
export function noKeyText({ floatKey }: Pick<TableSpec, 'floatKey'>): string {
  return floatKey === undefined
    ? 'has no key'
    : `has no key but ${floatKey}, a floating point number, which is not used`
}
