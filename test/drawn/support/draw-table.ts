/** Tables of random types, values, names, keys and settings. */
import { pick, some, type Random } from './random.ts'
import type { DrawnColumn, DrawnSystem, DrawnTable, DrawnType } from './shape.ts'

const NAMES: readonly string[] = [
  'C', 'Camel', 'UPPER', 'with blank', ' lead', 'trail ', 'quo"te', "apo'strophe", 'back`tick', 'back\\slash', 'dot.ted', 'star*', 'per%cent', 'under_score', 'select', 'order', 'user', 'table', 'rowid', 'oid', 'ctid_', '😀', 'é', 'e\u0301',
  'İ', 'ß', 'tab\there', 'line\nbreak', 'bell\u0007', 'x'.repeat(63), 'x'.repeat(64), 'é'.repeat(31), 'é'.repeat(32), '1st', '$1', '?', ':name', '@at', '#hash', '--', '/*', ';', '{}', '[a]', 'a,b', 'a=b', 'null', '-', '\u202e', 'n',
] // prettier-ignore

const MOST_COLUMNS = 5
const MOST_ROWS = 6

export function drawTable(random: Random, system: DrawnSystem, types: readonly DrawnType[]): DrawnTable {
  const rows = 1 + random(MOST_ROWS)
  const count = 1 + random(MOST_COLUMNS)
  const names = some(random, NAMES, count)
  const plain = random(3) > 0
  const columns = Array.from({ length: count }, (_, at): DrawnColumn => {
    const { type, values } = pick(random, types)
    const name = plain || random(2) === 0 ? `c${at}` : (names[at] ?? '')
    return { name, type, values: Array.from({ length: rows }, () => pick(random, values)) }
  })
  const key = some(random, columns.map((_, at) => at), pick(random, [0, 1, 1, 1, 2])) // prettier-ignore
  const name = random(4) === 0 ? pick(random, NAMES) : 't'
  return { system: system.system, name, columns, key, options: system.options(random), settings: [] }
}
