/** Splits a map, which is transferred as JSON, into entries with cells for their columns. */
import { bytesOfBlob } from '../../../model/copy/bytes-text.ts'
import { converter } from '../../../model/copy/convert.ts'
import { refusedValue } from '../../../model/copy/refused.ts'
import type { Cell } from '../../../model/copy/rows.ts'
import { SluiceError } from '../../../shared/errors.ts'
import { printedJson, parseJson, type Json } from '../../../model/lake/json-tree.ts'
import type { ReadColumn } from '../../../model/copy/read-column.ts'

export type DerivedMember = { readonly key: Cell; readonly value: Cell }

/** Called for an entry that does not fit its columns' types, with its key if that could be read. */
export type RefusedEntry = (key: Cell, error: SluiceError) => void

/**
 * Returns the function that splits a map.
 * @param key null if keys are not requested @param value likewise
 * @throws (the function) SluiceError VALUE_REFUSED if the value is not a map
 */
export function entriesOf(
  key: ReadColumn | null,
  value: ReadColumn | null,
): (map: string, refused: RefusedEntry) => readonly DerivedMember[] {
  const ofKey = key === null ? () => null : cellOf(key)
  const ofValue = value === null ? () => null : cellOf(value)
  return (map, refused) => {
    const entries: DerivedMember[] = []
    for (const [one, other] of pairsOf(parseJson(map))) {
      let name: Cell = null
      try {
        name = ofKey(one)
        entries.push({ key: name, value: ofValue(other) })
      } catch (error) {
        if (!(error instanceof SluiceError) || error.code !== 'VALUE_REFUSED') throw error
        refused(name, error)
      }
    }
    return entries
  }
}

/** Maps whose keys are not single values are lists of pairs. */
function pairsOf(map: Json): readonly (readonly [Json, Json])[] {
  if (map instanceof Map) return [...(map as ReadonlyMap<string, Json>)]
  if (Array.isArray(map)) {
    return map.map((pair: Json) => {
      if (Array.isArray(pair) && pair.length === 2) return [pair[0] as Json, pair[1] as Json] as const
      throw noMap(map)
    })
  }
  throw noMap(map)
}

function noMap(value: Json): SluiceError {
  return refusedValue('a map', printedJson(value))
}

function cellOf({ as, column }: ReadColumn): (value: Json) => Cell {
  // Type native (both sides are Cassandra): the text is transferred unchanged.
  const convert = as.kind === 'native' ? null : converter(column.type, as)
  return (value) => {
    if (value === null) return null
    const raw = rawOf(value, column)
    return convert === null ? raw : convert(raw)
  }
}

/** The original cell of a value in JSON, where member names, bytes and numbers are texts. */
function rawOf(value: Json, { type }: ReadColumn['column']): Exclude<Cell, null> {
  if (type.kind === 'json') return printedJson(value)
  const text = typeof value === 'string' ? value : printedJson(value)
  switch (type.kind) {
    case 'bytes': {
      const bytes = bytesOfBlob(text)
      if (bytes === null) throw refusedValue('bytes', text)
      return bytes
    }
    case 'bool':
      return text === 'true' ? '1' : '0'
    case 'float':
      return type.bits === 32 ? Math.fround(Number(text)) : Number(text)
    default:
      return text
  }
}
