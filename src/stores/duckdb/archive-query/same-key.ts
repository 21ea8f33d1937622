/** Finds source rows whose keys are also in files, if the table treats different texts as equal. */
import type { QueryColumn } from '../../../model/archive/query-port.ts'
import { SluiceError } from '../../../shared/errors.ts'
import { quotedName } from '../../../shared/sql-text.ts'
import { closely, DOUBTED, keyEquality, surely, type KeyEquality } from '../key-equality.ts'
import type { QuerySession } from './session.ts'

/** A key column. @property place its name in the table of source rows */
export type KeyColumn = { readonly column: QueryColumn; readonly place: string }

/** SQL of source rows (`hot`) and of archived rows, for a FROM clause. */
export type Sides = { readonly hot: string; readonly archived: string }

/** SQL that is true if a row of `hot` certainly has the key of a row of `archived`. */
export function sameKey(key: readonly KeyColumn[], hot: string, archived: string): string {
  return equalKeys(key, { hot, archived }, surely)
}

/** As `sameKey`, for a comparison after which nothing is counted as the same row without its values. */
export function closeKeys(key: readonly KeyColumn[], hot: string, archived: string): string {
  return equalKeys(key, { hot, archived }, closely)
}

/**
 * Refuses a source row whose key may be equal to an archived key in the system: both have the same letters and digits,
 * without case and accents, or decimals and intervals of the same value. A key that is certainly equal to a key
 * of the other side is not refused. Other texts that the system treats as equal are not found.
 * @throws SluiceError PARTITION_STATE
 */
export async function refuseAlikeKeys(
  session: QuerySession,
  key: readonly KeyColumn[],
  { hot, archived }: Sides,
  table: string,
): Promise<void> {
  const doubted = key.filter(({ column }) => DOUBTED.has(keyEquality(column)))
  if (doubted.length === 0) return
  const shown = (names: readonly string[]): string =>
    `concat_ws(', ', ${names.map((name) => `CAST(${name} AS VARCHAR)`).join(', ')})`
  const [found] = await session.rows(
    `SELECT ${shown(key.map(({ place }) => `hot.${place}`))}, ${shown(key.map(({ column }) => `archived.${quotedName(column.physical)}`))}
     FROM ${hot} AS hot JOIN ${archived} AS archived ON ${equalKeys(key, { hot: 'hot', archived: 'archived' }, perhaps)}
     WHERE NOT EXISTS (SELECT 1 FROM ${archived} AS other WHERE ${sameKey(key, 'hot', 'other')})
       AND NOT EXISTS (SELECT 1 FROM ${hot} AS other WHERE ${sameKey(key, 'other', 'archived')}) LIMIT 1`,
  )
  if (found === undefined) return
  const [there, before] = found.map(String)
  const by = doubted.map(({ column: { name, column } }) => `${name} by ${column.collation ?? column.native}`).join(', ')
  throw new SluiceError(
    'PARTITION_STATE',
    `${table} cannot be queried: its key may treat ${before} and ${there} as equal`,
    {
      where: table,
      reason: `the archive has the row ${before}, and the table has the row ${there}. Only the database can compare ${by}, so it is unknown whether they are the same row`,
      hint: `give the row ${there} the key ${before} again, drop or restore the archived partition of ${before}, or query other periods`,
    },
  )
}

/**
 * Refuses a key that more rows of the source have than archived ones: their keys differ in spelling, which was dropped
 * when they were read, so it is unknown which of them is archived.
 * @throws SluiceError PARTITION_STATE
 */
export async function refuseRespelledKeys(
  session: QuerySession,
  key: readonly KeyColumn[],
  { hot, archived }: Sides,
  table: string,
): Promise<void> {
  const counts = (from: string, nameOf: (one: KeyColumn) => string): string => {
    const parts = key.map((one, i) => `${surely(nameOf(one), keyEquality(one.column))} AS k${i}`)
    return `(SELECT ${parts.join(', ')}, count(*) AS number FROM ${from} GROUP BY ALL)`
  }
  const same = key.map((_, i) => `hot.k${i} IS NOT DISTINCT FROM archived.k${i}`).join(' AND ')
  const [found] = await session.rows(
    `SELECT concat_ws(', ', ${key.map((_, i) => `CAST(hot.k${i} AS VARCHAR)`).join(', ')})
     FROM ${counts(hot, ({ place }) => place)} AS hot
     JOIN ${counts(`${archived} AS archived`, ({ column }) => quotedName(column.physical))} AS archived ON ${same}
     WHERE hot.number > archived.number LIMIT 1`,
  )
  if (found === undefined) return
  const names = key.map(({ column }) => column.name).join(', ')
  throw new SluiceError(
    'PARTITION_STATE',
    `${table} cannot be queried: more of its rows have the key ${String(found[0])} than the archive has`,
    {
      where: table,
      reason: `the table spells ${names} of these rows differently, and the archive does not store the spelling, so it is unknown which of them is archived`,
      hint: `give the row that was added another key, or remove it; or query other periods`,
    },
  )
}

/**
 * SQL for the rows of `hot` beyond the number of rows of `archived` with the same key: their keys differ in spelling,
 * which was dropped when they were read. Which of them is archived is unknown.
 */
export function surplusRows(key: readonly KeyColumn[], { hot, archived }: Sides): string {
  const folded = (text: string, { column }: KeyColumn): string => closely(text, keyEquality(column))
  const own = key.map((one) => folded(one.place, one))
  const theirs = key.map((one, i) => `${folded(quotedName(one.column.physical), one)} AS k${i}`)
  const same = own.map((text, i) => `${text} IS NOT DISTINCT FROM k${i}`).join(' AND ')
  return `(SELECT *, row_number() OVER (PARTITION BY ${own.join(', ')}) AS nth FROM ${hot}) AS hot
    LEFT JOIN (SELECT ${theirs.join(', ')}, count(*) AS number FROM ${archived} GROUP BY ALL) AS counted ON ${same}
    WHERE nth > coalesce(number, 0)`
}

function equalKeys(
  key: readonly KeyColumn[],
  { hot, archived }: Sides,
  folded: (text: string, equality: KeyEquality) => string,
): string {
  return key
    .map(({ column, place }) => {
      const equality = keyEquality(column)
      const [one, other] = [`${hot}.${place}`, `${archived}.${quotedName(column.physical)}`]
      return `${folded(one, equality)} IS NOT DISTINCT FROM ${folded(other, equality)}`
    })
    .join(' AND ')
}

function perhaps(text: string, equality: KeyEquality): string {
  if (equality !== 'system' && equality !== 'citext') return closely(text, equality)
  const letters = `regexp_replace(lower(strip_accents(replace(${text}, 'ß', 'ss'))), '[^\\p{L}\\p{N}]', '', 'g')`
  return `coalesce(nullif(${letters}, ''), ${text})`
}
