/** Indexes, constraints and defaults of a table, in the words of no system as far as that goes. */
import type { TableName } from './column-type.ts'

/** What can be asked for beside rows. */
export type ObjectWish = 'indexes' | 'constraints' | 'defaults'
export const OBJECT_WISHES: readonly ObjectWish[] = ['indexes', 'constraints', 'defaults']

export type IndexPart = {
  /** Null for an expression. */
  readonly column: string | null
  readonly descending?: true
  /** Where that is not what the system does by itself. */
  readonly nulls?: 'first' | 'last'
  /** Only so many characters or bytes of each value are in the index. */
  readonly prefix?: number
  /** Operator class, collation and whatever else only this system knows. */
  readonly special?: string
}

type Named = {
  readonly name: string
  /** As its system writes it behind the name; empty where it has to be written anew from the other members. */
  readonly own: string
  /** Columns that it speaks of; null where nobody can tell. */
  readonly columns: readonly string[] | null
  /** What a build that was broken off has left: it is there by name, and not in force. */
  readonly broken?: true
}

export type IndexObject = Named & {
  readonly kind: 'index' | 'unique'
  readonly unique: boolean
  /** It is the primary key, which a table is made with. */
  readonly primary?: true
  /** As the system names it; `btree` for a plain one that keeps its entries in order. */
  readonly method: string
  readonly parts: readonly IndexPart[]
  /** Columns that are stored with the entries. */
  readonly include: readonly string[]
  /** Only rows that fit a condition. */
  readonly where?: string
  /** Two NULLs are equal. */
  readonly nullsEqual?: true
}

export type ForeignKey = Named & {
  readonly kind: 'foreign key'
  readonly from: readonly string[]
  readonly to: { readonly table: TableName; readonly columns: readonly string[] }
  /** `NO ACTION`, `CASCADE`, `SET NULL (a)` … as SQL has it. */
  readonly onDelete: string
  readonly onUpdate: string
  /** `MATCH FULL`, `DEFERRABLE …`: what stands at the end, in SQL. */
  readonly rest: string
  /** Rows that were there before are not looked at. */
  readonly unchecked?: true
}

export type OtherObject = Named & {
  /** `default`: its name is that of the column. */
  readonly kind: 'check' | 'exclusion' | 'default'
}

export type SchemaObject = IndexObject | ForeignKey | OtherObject
export type ObjectKind = SchemaObject['kind']

export function wishOf({ kind }: SchemaObject): ObjectWish {
  if (kind === 'index') return 'indexes'
  return kind === 'default' ? 'defaults' : 'constraints'
}

/** Whether every entry is a plain column over all rows. */
export function isPlain({ parts, where }: IndexObject): boolean {
  return where === undefined && parts.every(({ column }) => column !== null)
}

/** Equal for two objects that do the same, whatever they are called. */
export function signatureOf(object: SchemaObject): string {
  switch (object.kind) {
    case 'index':
    case 'unique': {
      const { unique, method, parts, include, nullsEqual = false, own } = object
      if (!isPlain(object)) return JSON.stringify(['index', unique, nullsEqual, bare(own)])
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
      return JSON.stringify(['default', object.name, bare(object.own)])
    case 'check':
    case 'exclusion':
      return JSON.stringify([object.kind, bare(object.own)])
  }
}

const CAST =
  /::(?:"[^"]*"|[a-z_][\w$]*)(?:\.(?:"[^"]*"|[a-z_][\w$]*))?(?: (?:varying|precision|with(?:out)? time zone))?(?:\(\d+(?:,\s*\d+)?\))?(?:\[\])*/gi

/** Without brackets, blanks and casts, which a system adds as the types of columns make it necessary. */
function bare(definition: string): string {
  return definition.replaceAll(CAST, '').replaceAll(/[()\s]/g, '')
}
