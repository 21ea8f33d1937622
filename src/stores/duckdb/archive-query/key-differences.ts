/** Compares source rows with archived ones by key. */
import type { KeyDifferences, QueryColumn } from '../../../model/archive/query-port.ts'
import { quotedName } from '../../../shared/sql-text.ts'
import { keyEquality } from '../key-equality.ts'
import { closeKeys, surplusRows, type Sides } from './same-key.ts'
import type { QuerySession } from './session.ts'

/** Maximum number of keys in an error message. */
const SHOWN_KEYS = 3

/** @param columns compared columns; in the table of source rows they are called c0, c1 … */
export async function keyDifferences(
  session: QuerySession,
  columns: readonly QueryColumn[],
  key: readonly string[],
  sides: Sides,
): Promise<KeyDifferences> {
  const placed = columns.map((column, i) => ({ column, place: `c${i}`, cold: `cold.${quotedName(column.physical)}` }))
  const keys = placed.filter(({ column: { name } }) => key.includes(name))
  const same = closeKeys(keys, 'hot', 'cold')
  // Equal keys may have different texts: such a row is a changed one.
  const judged = placed.filter(({ column }) => !key.includes(column.name) || keyEquality(column) !== 'bytes')
  const differs = (side: string): string =>
    judged.length === 0
      ? 'false'
      : judged.map(({ place, cold }) => `${side}.${place} IS DISTINCT FROM ${cold}`).join(' OR ')
  const [hot, cold] = [`${sides.hot} AS hot`, `${sides.archived} AS cold`]
  const found = async (values: readonly string[], from: string): Promise<KeyDifferences['late']> => {
    const text = `concat_ws(', ', ${values.map((value) => `coalesce(CAST(${value} AS VARCHAR), 'NULL')`).join(', ')})`
    const [[rows, texts] = []] = await session.rows(
      `SELECT count(*), array_to_string(min(${text}, ${SHOWN_KEYS}), chr(10)) FROM ${from}`,
    )
    return { rows: BigInt(String(rows ?? 0)), keys: typeof texts === 'string' && texts !== '' ? texts.split('\n') : [] }
  }
  const ofHot = keys.map(({ place }) => `hot.${place}`)
  const ofCold = keys.map((one) => one.cold)
  const both = await found(ofHot, `${hot} WHERE EXISTS (SELECT 1 FROM ${cold} WHERE ${same})`)
  const kept = await found(ofCold, `${cold} WHERE EXISTS (SELECT 1 FROM ${hot} WHERE ${same})`)
  const hasSurplus = both.rows > kept.rows
  const equal = `SELECT 1 FROM ${sides.hot} AS equal WHERE ${closeKeys(keys, 'equal', 'cold')} AND NOT (${differs('equal')})`
  const unlike = `(${differs('hot')})${hasSurplus ? ` AND NOT EXISTS (${equal})` : ''}`
  return {
    late: await found(
      ofHot,
      hasSurplus ? surplusRows(keys, sides) : `${hot} WHERE NOT EXISTS (SELECT 1 FROM ${cold} WHERE ${same})`,
    ),
    changed: await found(ofHot, `${hot} JOIN ${cold} ON ${same} WHERE ${unlike}`),
    both,
    deleted: await found(ofCold, `${cold} WHERE NOT EXISTS (SELECT 1 FROM ${hot} WHERE ${same})`),
  }
}
