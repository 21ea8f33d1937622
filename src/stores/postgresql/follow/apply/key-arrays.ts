/** Identities of one column as PostgreSQL's array literals: one parameter for thousands of rows. */

/** Identities of one literal, and characters after which the next one begins: the whole message stands in memory twice. */
const MOST_KEYS = 10_000
const MOST_CHARACTERS = 1024 * 1024
/** Texts that an array literal can hold without quotes. `NULL` would be no text. */
const PLAIN = /^(?!null$)[\w.:+-]+$/i

/** @param keys as the server prints the values, none NULL */
export function* keyArrays(keys: Iterable<string>): Generator<string> {
  let items: string[] = []
  let characters = 0
  for (const key of keys) {
    const item = PLAIN.test(key) ? key : `"${key.replaceAll(/["\\]/g, '\\$&')}"`
    items.push(item)
    characters += item.length
    if (items.length < MOST_KEYS && characters < MOST_CHARACTERS) continue
    yield `{${items.join(',')}}`
    items = []
    characters = 0
  }
  if (items.length > 0) yield `{${items.join(',')}}`
}
