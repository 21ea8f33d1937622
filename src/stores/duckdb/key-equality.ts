/** SQL that compares the keys of archived rows as their system does: values whose texts differ may be equal. */
import type { StoredColumn } from '../../model/archive/stored-column.ts'
import { textEquality, type TextEquality } from '../../model/copy/text-equality.ts'

/**
 * `decimal`, `interval`: by the number, also of each element. `numbers`: decimals inside of a text may end with zeros;
 * `intervals`: and intervals may have other fields. `citext`: by letters without case. Others: `TextEquality`.
 */
export type KeyEquality = TextEquality | 'decimal' | 'interval' | 'numbers' | 'intervals' | 'citext'

/** Keys of these kinds are only perhaps equal if sluice compares them as equal, or the system as well. */
export const DOUBTED: ReadonlySet<KeyEquality> = new Set(['system', 'citext', 'numbers', 'intervals'])

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
  // Elements of arrays and ranges, attributes, and the types below domains.
  const types = [column.native, ...declared.flatMap(({ parts }) => parts.map(({ type = '' }) => type))]
  if (types.some((type) => /\bcitext\b/.test(type)))
    return declared.some(({ kind }) => kind === 'composite') ? 'system' : 'citext'
  const equality = textEquality(column)
  if (equality !== 'bytes') return equality
  if (as.kind === 'decimal') return as.spelled === true ? 'bytes' : 'decimal'
  if (/^numeric\b[^[]*$/.test(column.native)) return 'decimal'
  if (/^interval\b/.test(column.native)) return 'interval'
  if (types.some((type) => /\binterval\b/.test(type))) return 'intervals'
  return types.some((type) => /\b(?:numeric|num(?:multi)?range|jsonb)\b/.test(type)) ? 'numbers' : 'bytes'
}

/** SQL whose value is the same for two keys only if they are certainly equal. */
export function surely(text: string, equality: KeyEquality): string {
  if (equality === 'nocase') return `translate(${text}, '${CAPITALS}', '${CAPITALS.toLowerCase()}')`
  if (equality === 'rtrim') return `rtrim(${text}, ' ')`
  if (equality === 'decimal')
    return `CASE WHEN contains(${text}, '.') THEN rtrim(rtrim(${text}, '0'), '.') ELSE ${text} END`
  return equality === 'interval' ? inSeconds(text) : text
}

/** As `surely`, but also compares decimals and intervals inside of a text by value, and ignores the case of citext. */
export function closely(text: string, equality: KeyEquality): string {
  if (equality === 'intervals') return inSeconds(withoutZeros(text))
  if (equality === 'numbers') return withoutZeros(text)
  return equality === 'citext' ? `lower(${text})` : surely(text, equality)
}

function withoutZeros(text: string): string {
  return `regexp_replace(regexp_replace(${text}, '(\\.\\d*[1-9])0+\\b', '\\1', 'g'), '\\.0+\\b', '', 'g')`
}

/** The text with the number of seconds in place of each interval. */
function inSeconds(text: string): string {
  const fields = INTERVAL_FIELDS.map(([field, size]) => {
    const digits = `nullif(regexp_extract(part, '${field}', 1), '')`
    return `coalesce(CAST(${digits} AS DECIMAL(38, 6)), 0) * ${size}`
  })
  const seconds = `CASE WHEN regexp_matches(part, '^PT?-?\\d') THEN CAST(${fields.join(' + ')} AS VARCHAR) ELSE part END`
  const parts = `regexp_extract_all(${text}, 'P[-.\\dYMDTHS]*|[^P]+')`
  return `array_to_string(list_transform(${parts}, lambda part: ${seconds}), '')`
}
