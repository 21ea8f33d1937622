/** Halves of characters: readers make different things of them, and no database holds them (RFC 8259, §8.2). */

/** In valid UTF-8 they are escapes alone. */
const SURROGATE = /\\u[dD][89a-fA-F]/

/** A text or name with half of a character in it, or null. @param raw the JSON that `parsed` was made of */
export function halfCharacter(raw: string, parsed: unknown): string | null {
  return SURROGATE.test(raw) ? firstHalf(parsed) : null
}

function firstHalf(value: unknown): string | null {
  if (typeof value === 'string') return value.isWellFormed() ? null : value
  if (typeof value !== 'object' || value === null) return null
  for (const [name, one] of Object.entries(value)) {
    const found = name.isWellFormed() ? firstHalf(one) : name
    if (found !== null) return found
  }
  return null
}
