/** Compares some rows of both tables, found by row key, in the session of the cutover: by count and two hashes. */
import { groupBy } from '../../../../shared/group-by.ts'
import { tableText } from '../../../../model/copy/column-type.ts'
import type { RowKey } from '../../../../model/copy/row-key.ts'
import { SluiceError } from '../../../../shared/errors.ts'
import type { SwitchProof } from '../../../../model/follow/switch-port.ts'
import type { SideDigest } from '../../../../model/follow/switch-side-port.ts'
import { arrayText } from '../../server/array-text.ts'
import { quoteName } from '../../server/connect.ts'
import type { CopySession } from '../../server/session.ts'
import { literal } from '../../server/sql.ts'
import { columnTypes } from './column-types.ts'
import { furthestOf, furthestSql, numberedColumns, type NumberedColumn } from './furthest.ts'
import type { Furthest } from './sequences.ts'
import type { CutoverTable } from './sides.ts'

const KEYS_AT_ONCE = 1000

/**
 * SQL that turns off plans without an index, as for sessions that apply changes. A newly filled table has no
 * statistics: without this, the server would read all of it while writers wait.
 */
const BY_INDEX = ['enable_seqscan', 'enable_hashjoin', 'enable_mergejoin']
  .map((name) => `SET LOCAL ${name} TO off`)
  .join('; ')

/** @throws SluiceError TABLE_REFUSED if a column of the row key is missing; errors of the server */
export async function compareTableRows(
  session: CopySession,
  [from, to]: readonly [CutoverTable, CutoverTable],
  identity: readonly string[],
  keys: readonly RowKey[],
): Promise<SwitchProof & { readonly furthest: readonly Furthest[] }> {
  const { conditions, ...wanted } = await asked(session, from, identity, keys)
  const furthest: Furthest[] = []
  let [rows, targetRows, isEqual] = [0n, 0n, true]
  for (const condition of conditions) {
    const here = await digest(session, from, wanted, condition)
    const there = await digest(session, to, wanted, condition)
    rows += here.rows
    targetRows += there.rows
    isEqual &&= here.rows === there.rows && here.sums === there.sums
    furthest.push(...there.furthest)
  }
  return { rows, targetRows, isEqual, furthest }
}

/** Digest to compare with a table of another database. @throws TABLE_REFUSED if a column of the row key is missing */
export async function digestTableRows(
  session: CopySession,
  side: CutoverTable,
  identity: readonly string[],
  keys: readonly RowKey[],
): Promise<SideDigest> {
  const { conditions, ...wanted } = await asked(session, side, identity, keys)
  // Rows are hashed without names: the names distinguish columns that have exchanged theirs.
  const sums = [wanted.row]
  const furthest: Furthest[] = []
  let rows = 0n
  for (const condition of conditions) {
    const found = await digest(session, side, wanted, condition)
    rows += found.rows
    sums.push(found.sums)
    furthest.push(...found.furthest)
  }
  return { rows, sums: sums.join(' '), furthest: { text: JSON.stringify(furthest) } }
}

/** Columns to read of each row, as SQL, and the columns whose numbers come from sequences. */
type Wanted = { readonly row: string; readonly numbered: readonly NumberedColumn[] }

/** Columns to read of each row, and conditions that find the rows by an index. */
async function asked(
  session: CopySession,
  side: CutoverTable,
  identity: readonly string[],
  keys: readonly RowKey[],
): Promise<Wanted & { readonly conditions: Iterable<string> }> {
  const types = await columnTypes(session, side)
  const missing = identity.filter((name) => !types.has(name))
  if (missing.length === 0 && identity.length > 0) {
    const numbered = await numberedColumns(session, side)
    await session.ask(BY_INDEX)
    const row = [...types.keys()].map(quoteName).join(', ')
    return { row, numbered, conditions: conditionsOf(identity, types, keys) }
  }
  const lacks = missing.length === 0 ? 'no key by which changed rows are found' : `no column ${missing.join(', ')}`
  throw new SluiceError('TABLE_REFUSED', `${tableText(side)} has ${lacks}`, {
    where: tableText(side),
    hint: 'run the cutover again',
  })
}

async function digest(
  session: CopySession,
  { sql, isPartitioned }: CutoverTable,
  { row, numbered }: Wanted,
  condition: string,
): Promise<{ readonly rows: bigint; readonly sums: string; readonly furthest: readonly Furthest[] }> {
  const hash = (seed: number): string =>
    `coalesce(pg_catalog.sum(pg_catalog.hashtextextended(r.t COLLATE "C", ${seed})), 0)`
  const read = [`ROW(${row})::text AS t`, ...numbered.map(({ name }, at) => `${quoteName(name)} AS n${at}`)]
  const fields = ['count(*)', hash(0), hash(1_000_003), ...numbered.map((one, at) => furthestSql(one, `r.n${at}`))]
  const [[rows, first, second, ...furthest] = []] = await session.ask(
    `SELECT ${fields.join(', ')} FROM (SELECT ${read.join(', ')} FROM ${isPartitioned ? '' : 'ONLY '}${sql} WHERE ${condition} OFFSET 0) r`,
  )
  return { rows: BigInt(rows ?? 0), sums: `${first} ${second}`, furthest: furthestOf(numbered, furthest) }
}

function* conditionsOf(
  identity: readonly string[],
  types: ReadonlyMap<string, string>,
  keys: readonly RowKey[],
): Generator<string> {
  for (const group of byNulls(keys))
    for (let at = 0; at < group.length; at += KEYS_AT_ONCE)
      yield among(identity, types, group.slice(at, at + KEYS_AT_ONCE))
}

/** Groups keys by the positions of their NULLs. */
function byNulls(keys: readonly RowKey[]): Iterable<readonly RowKey[]> {
  return groupBy(keys, (key) => key.map((part) => (part === null ? 'n' : '.')).join('')).values()
}

/** @param keys with NULLs at the same positions */
function among(identity: readonly string[], types: ReadonlyMap<string, string>, keys: readonly RowKey[]): string {
  const places = identity.map((name, at) => ({ name, at }))
  const isNull = ({ at }: { readonly at: number }): boolean => keys[0]?.[at] === null
  const nulls = places.filter(isNull).map(({ name }) => `${quoteName(name)} IS NULL`)
  const values = places.filter((place) => !isNull(place))
  if (values.length === 0) return nulls.join(' AND ')
  const lists = values.map(({ at }) => `${literal(arrayText(keys.map((key) => key[at] ?? '')))}::text[]`)
  const casts = values.map(({ name }, at) => `CAST(k.c${at} AS ${types.get(name)})`).join(', ')
  const names = values.map((_, at) => `c${at}`).join(', ')
  const list = `(${values.map(({ name }) => quoteName(name)).join(', ')}) IN (SELECT ${casts} FROM ROWS FROM (${lists.map((one) => `pg_catalog.unnest(${one})`).join(', ')}) AS k (${names}))`
  return [list, ...nulls].join(' AND ')
}
