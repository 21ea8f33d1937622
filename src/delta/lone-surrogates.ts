/** Finds lone surrogates in JSON: parsers treat them differently, and databases do not store them (RFC 8259, §8.2). */

/** In valid UTF-8, a surrogate can only be written as an escape. */
const SURROGATE = /\\u[dD][89a-fA-F]/

/** First string or key with a lone surrogate; null if there is none. @param raw the JSON text of `parsed` */
export function textWithLoneSurrogate(raw: string, parsed: unknown): string | null {
  return SURROGATE.test(raw) ? firstLoneSurrogate(parsed) : null
}

function firstLoneSurrogate(value: unknown): string | null {
  if (typeof value === 'string') return value.isWellFormed() ? null : value
  if (typeof value !== 'object' || value === null) return null
  for (const [name, one] of Object.entries(value)) {
    const found = name.isWellFormed() ? firstLoneSurrogate(one) : name
    if (found !== null) return found
  }
  return null
}
