/** SQL that compares the keys of archived rows as their system does: values whose texts differ may be equal. */
import type { StoredColumn } from '../../model/archive/stored-column.ts'
import type { Column } from '../../model/copy/column-type.ts'
import { textEquality, type TextEquality } from '../../model/copy/text-equality.ts'

/**
 * `decimal`, `interval`: by the number. `numbers`: decimals inside of a text may end with zeros. Others:
 * `TextEquality`.
 */
export type KeyEquality = TextEquality | 'decimal' | 'interval' | 'numbers'

const CAPITALS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ'

/** Fields of an interval in the form of ISO 8601, and their seconds: a month is equal to 30 days of 24 hours. */
const INTERVAL_FIELDS = [
  ['^P[^T]*?(-?\\d+)Y', 31_104_000],
  ['^P[^T]*?(-?\\d+)M', 2_592_000],
  ['^P[^T]*?(-?\\d+)D', 86_400],
  ['T.*?(-?\\d+)H', 3600],
  ['T.*?(-?\\d+)M', 60],
  ['T.*?(-?[\\d.]+)S', 1],
] as const

/** How the system of a key column compares its values for equality. */
export function keyEquality({ stored, as, column, declared = [] }: StoredColumn): KeyEquality {
  if (stored !== 'string') return 'bytes'
  const equality = textEquality(column)
  if (equality !== 'bytes') return equality
  if (as.kind === 'decimal') return as.spelled === true ? 'bytes' : 'decimal'
  if (/^numeric\b[^[]*$/.test(column.native)) return 'decimal'
  if (/^interval\b[^[]*$/.test(column.native)) return 'interval'
  // Elements of arrays and ranges, attributes, and the types below domains.
  const types = [column.native, ...declared.flatMap(({ parts }) => parts.map(({ type = '' }) => type))]
  if (types.some((type) => /\bcitext\b/.test(type))) return 'system'
  return types.some((type) => /\b(?:numeric|num(?:multi)?range|jsonb)\b/.test(type)) ? 'numbers' : 'bytes'
}

/** SQL whose value is the same for two keys only if they are certainly equal. */
export function surely(text: string, equality: KeyEquality): string {
  if (equality === 'nocase') return `translate(${text}, '${CAPITALS}', '${CAPITALS.toLowerCase()}')`
  if (equality === 'rtrim') return `rtrim(${text}, ' ')`
  if (equality === 'decimal')
    return `CASE WHEN contains(${text}, '.') THEN rtrim(rtrim(${text}, '0'), '.') ELSE ${text} END`
  return equality === 'interval' ? seconds(text) : text
}

/** As `surely`, but also ignores zeros at the end of decimals inside of a text, and the case of citext. */
export function closely(text: string, equality: KeyEquality, { native }: Column): string {
  if (equality === 'numbers')
    return `regexp_replace(regexp_replace(${text}, '(\\.\\d*[1-9])0+\\b', '\\1', 'g'), '\\.0+\\b', '', 'g')`
  return equality === 'system' && /\bcitext\b/.test(native) ? `lower(${text})` : surely(text, equality)
}

function seconds(text: string): string {
  const fields = INTERVAL_FIELDS.map(([field, size]) => {
    const digits = `nullif(regexp_extract(${text}, '${field}', 1), '')`
    return `coalesce(CAST(${digits} AS DECIMAL(38, 6)), 0) * ${size}`
  })
  return `CASE WHEN starts_with(${text}, 'P') THEN CAST(${fields.join(' + ')} AS VARCHAR) ELSE ${text} END`
}
