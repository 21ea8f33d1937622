/** Indexes, constraints and defaults of a table, independent of a system as far as possible. */
import { comparableDefinition } from './comparable-definition.ts'
import type { TableName } from './column-type.ts'

/** Objects that can be requested besides rows. */
export type ObjectOptions = 'indexes' | 'constraints' | 'defaults'
export const OBJECT_OPTIONS: readonly ObjectOptions[] = ['indexes', 'constraints', 'defaults']

export type IndexPart = {
  /** Name of the column; null if an expression is indexed. */
  readonly column: string | null
  readonly descending?: true
  /** Position of NULLs; absent if it is the default of the system. */
  readonly nulls?: 'first' | 'last'
  /** Only this many characters or bytes of each value are indexed. */
  readonly prefix?: number
  /** Operator class, collation and other properties that only this system has. */
  readonly special?: string
}

type Named = {
  readonly name: string
  /** Definition after the name, as the object's system writes it; empty if it must be built from the other members. */
  readonly own: string
  /** Columns that it uses; null if they cannot be determined. */
  readonly columns: readonly string[] | null
  /** Set if an interrupted build left it: the object exists, but the system does not use it. */
  readonly broken?: true
}

export type IndexObject = Named & {
  readonly kind: 'index' | 'unique'
  readonly unique: boolean
  /** Set for the primary key, which is created with the table. */
  readonly primary?: true
  /** Index method of the system; `btree` for a plain ordered index. */
  readonly method: string
  readonly parts: readonly IndexPart[]
  /** Columns stored with the entries. */
  readonly include: readonly string[]
  /** Condition of a partial index. */
  readonly where?: string
  /** True if NULLs count as equal. */
  readonly nullsEqual?: true
}

export type ForeignKey = Named & {
  readonly kind: 'foreign key'
  readonly from: readonly string[]
  readonly to: { readonly table: TableName; readonly columns: readonly string[] }
  /** `NO ACTION`, `CASCADE`, `SET NULL (a)` … as in SQL. */
  readonly onDelete: string
  readonly onUpdate: string
  /** `MATCH FULL`, `DEFERRABLE …`: further clauses of the definition, in SQL. */
  readonly rest: string
  /** True if the constraint does not check rows that existed before it. */
  readonly unchecked?: true
}

export type OtherObject = Named & {
  /** A `default` has the name of its column. */
  readonly kind: 'check' | 'exclusion' | 'default'
}

export type SchemaObject = IndexObject | ForeignKey | OtherObject
export type ObjectKind = SchemaObject['kind']

/** One and many objects of each kind, in texts. */
export const OBJECT_WORDS: Readonly<Record<ObjectKind, readonly [one: string, many: string]>> = {
  index: ['index', 'indexes'],
  unique: ['unique constraint', 'unique constraints'],
  check: ['check', 'checks'],
  exclusion: ['exclusion constraint', 'exclusion constraints'],
  default: ['default', 'defaults'],
  'foreign key': ['foreign key', 'foreign keys'],
}

export function objectOptions({ kind }: Pick<SchemaObject, 'kind'>): ObjectOptions {
  if (kind === 'index') return 'indexes'
  return kind === 'default' ? 'defaults' : 'constraints'
}

/** True if every part is a plain column and all rows are indexed. */
export function isPlainIndex({ parts, where }: IndexObject): boolean {
  return where === undefined && parts.every(({ column }) => column !== null)
}

/** Equal for two objects with the same effect, whatever their names. */
export function signatureOf(object: SchemaObject): string {
  switch (object.kind) {
    case 'index':
    case 'unique': {
      const { unique, method, parts, include, nullsEqual = false, own } = object
      if (!isPlainIndex(object)) return JSON.stringify(['index', unique, nullsEqual, comparableDefinition(own)])
      const words = parts.map((part) => [
        part.column,
        part.descending ?? false,
        part.nulls ?? null,
        part.prefix ?? null,
        part.special ?? null,
      ])
      return JSON.stringify(['index', unique, nullsEqual, method, words, include.toSorted()])
    }
    case 'foreign key': {
      const { from, to, onDelete, onUpdate, rest } = object
      const { schema = null, name } = to.table
      return JSON.stringify(['foreign key', from, schema, name, to.columns, onDelete, onUpdate, rest])
    }
    case 'default':
      return JSON.stringify(['default', object.name, comparableDefinition(object.own)])
    case 'check':
    case 'exclusion':
      return JSON.stringify([object.kind, comparableDefinition(object.own)])
  }
}
