/**
 * Finds archived rows whose keys a table treats as equal, because its collation has changed since they were archived.
 */
import type { Column, TableSpec } from '../../model/copy/column-type.ts'
import { rowKeyOf, rowKeyText, type RowKey } from '../../model/copy/row-key.ts'
import type { Row } from '../../model/copy/rows.ts'
import type { ChunkWriter, CopyTarget } from '../../model/copy/target-port.ts'
import type { WriteColumn } from '../../model/copy/write-column.ts'
import { withWriter } from '../../stores/common/with-writer.ts'
import type { SharedColumn } from '../types/fit.ts'

/** A table to write to, and the columns of the rows. */
export type KeyedTable = {
  readonly target: CopyTarget
  readonly table: TableSpec
  readonly columns: readonly WriteColumn[]
  /** True to bypass triggers and foreign keys, if the role has the right to do so. */
  readonly pastTriggers?: boolean
  readonly signal: AbortSignal
}

/**
 * Writes rows in one transaction, which is rolled back unless `work` commits it.
 * @param work is called with the keys of the rows
 * @throws as `withWriter`
 */
export async function writeKeyed<T>(
  { target, table, columns, pastTriggers = false, signal }: KeyedTable,
  rows: readonly Row[],
  work: (writer: ChunkWriter, keys: readonly RowKey[]) => Promise<T>,
): Promise<T> {
  const places = table.key.map((name) => columns.findIndex((one) => one.name === name))
  const keys = rows.map((row) => rowKeyOf(row, places))
  const range = { by: 'keys', keys } as const
  const request = { table, columns, range, onExisting: 'append', careful: false, pastTriggers, cursor: null } as const
  return await withWriter(target, { ...request, signal }, (writer) => work(writer, keys))
}

/** Two keys, and how the table compares their texts. */
export type EqualKeys = { readonly keys: readonly [string, string]; readonly by: string }

type Keyed = { readonly row: Row; readonly key: RowKey }

/** Maximum number of keys in memory, and of pairs that are tried in the table. */
const MOST_KEYS = 1_000_000
const MOST_PAIRS = 100

/**
 * Two rows whose keys the table treats as equal, among pairs with the same letters and digits: each pair is tried in a
 * transaction that is rolled back.
 * @param rows archived rows whose keys are free in the table
 * @returns null if no pair was found; a collation may treat other texts as equal too
 */
export async function findEqualKeys(rows: AsyncIterable<readonly Row[]>, into: KeyedTable): Promise<EqualKeys | null> {
  const { table, columns } = into
  const places = table.key.map((name) => columns.findIndex((one) => one.name === name))
  if (places.length === 0 || places.includes(-1)) return null
  let asked = 0
  for await (const [one, other] of alikePairs(rows, places)) {
    if (asked++ >= MOST_PAIRS) return null
    if (await areEqualKeys(into, one.row, other.row))
      return { keys: [rowKeyText(one.key), rowKeyText(other.key)], by: comparedBy(table.key, columns) }
  }
  return null
}

/** Pairs of rows whose keys have the same letters and digits. */
async function* alikePairs(
  rows: AsyncIterable<readonly Row[]>,
  places: readonly number[],
): AsyncGenerator<readonly [Keyed, Keyed]> {
  const seen = new Map<string, Keyed>()
  for await (const some of rows) {
    for (const row of some) {
      const key = rowKeyOf(row, places)
      const name = JSON.stringify(key.map((text) => (text === null ? null : folded(text))))
      const before = seen.get(name)
      if (before !== undefined) yield [before, { row, key }]
      else if (seen.size < MOST_KEYS) seen.set(name, { row, key })
    }
  }
}

/** Letters and digits of a text, without case and accents. */
function folded(text: string): string {
  return text
    .normalize('NFKD')
    .replaceAll(/[^\p{L}\p{N}]/gu, '')
    .toUpperCase()
}

/** True if the table accepts the first row, and then refuses the second, though both keys are free. */
async function areEqualKeys(into: KeyedTable, one: Row, other: Row): Promise<boolean> {
  return await writeKeyed(
    into,
    [one, other],
    async (writer) => (await writer.write([one])) === 1 && (await writer.write([other])) === 0,
  )
}

/** Text about key columns whose collation has changed since the rows were archived; empty if there are none. */
export function changedCollationText(key: readonly string[], shared: readonly SharedColumn[]): string {
  const by = ({ column: { collation, sortsOnly } }: SharedColumn['now']): string =>
    collation === undefined || sortsOnly === true ? 'its bytes' : collation
  return shared
    .flatMap(({ file, now }) =>
      key.includes(now.name) && by(file) !== by(now)
        ? [
            `${now.name} of the key is compared by ${by(now)} now, and was compared by ${by(file)}: a row whose key equals another one in the new comparison cannot be restored; this was not checked`,
          ]
        : [],
    )
    .join('; ')
}

/** Text such as `k by utf8mb4_general_ci`; empty if no key column has its own collation. */
function comparedBy(
  key: readonly string[],
  columns: readonly { readonly name: string; readonly column: Pick<Column, 'collation' | 'sortsOnly'> }[],
): string {
  return columns
    .flatMap(({ name, column: { collation, sortsOnly } }) =>
      key.includes(name) && collation !== undefined && sortsOnly !== true ? [`${name} by ${collation}`] : [],
    )
    .join(', ')
}

/** Text such as `the key treats a and A as equal (k by utf8mb4_general_ci)`. */
export function equalKeysText({ keys: [one, other], by }: EqualKeys): string {
  return `the key treats ${one} and ${other} as equal${by === '' ? '' : ` (${by})`}`
}
