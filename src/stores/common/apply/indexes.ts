/** Selects, among the indexes of a table, those that find the row of a change, and those that can refuse the change. */
import { isPlainIndex, type IndexObject, type SchemaObject } from '../../../model/copy/schema-object.ts'

export type ApplyIndexes = {
  /** True if a unique index has exactly the columns of the row key: then a row can be overwritten by its key. */
  readonly isUnique: boolean
  /** True if a lookup by the row key reads few rows. */
  readonly isFound: boolean
  /** Unique indexes that can refuse a row although its row key is free. */
  readonly secondary: readonly IndexObject[]
}

/** @param identity row key columns; case of names is ignored */
export function applyIndexes(objects: readonly SchemaObject[], identity: readonly string[]): ApplyIndexes {
  const wanted = new Set(identity.map(folded))
  const indexes = objects.filter(
    (object): object is IndexObject => (object.kind === 'index' || object.kind === 'unique') && object.broken !== true,
  )
  const exact = indexes.filter((index) => whole(index) && sameNames(keyOf(index), wanted))
  return {
    isUnique: exact.some(({ unique }) => unique),
    isFound: indexes.some((index) => whole(index) && finds(index, wanted)),
    secondary: indexes.filter((index) => index.unique && !covers(index, wanted)),
  }
}

/** True if the index has all rows, by complete values of plain columns, without a collation or operator class. */
function whole(index: IndexObject): boolean {
  return (
    isPlainIndex(index) && index.parts.every(({ prefix, special }) => prefix === undefined && special === undefined)
  )
}

function keyOf({ parts }: IndexObject): readonly string[] {
  return parts.map(({ column }) => folded(column ?? ''))
}

function finds(index: IndexObject, wanted: ReadonlySet<string>): boolean {
  const key = keyOf(index)
  const within = key.every((name) => wanted.has(name))
  return (index.unique && within) || sameNames(key.slice(0, wanted.size), wanted)
}

/**
 * True if the index contains all columns of the row key: then rows with different row keys also differ in the index.
 */
function covers(index: IndexObject, wanted: ReadonlySet<string>): boolean {
  const key = new Set(
    index.parts.flatMap(({ column, prefix, special }) =>
      column === null || prefix !== undefined || special !== undefined ? [] : [folded(column)],
    ),
  )
  return [...wanted].every((name) => key.has(name))
}

function sameNames(key: readonly string[], wanted: ReadonlySet<string>): boolean {
  return key.length === wanted.size && key.every((name) => wanted.has(name))
}

function folded(name: string): string {
  return name.toLowerCase()
}
