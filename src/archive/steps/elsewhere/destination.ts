/** The target table of a restore, and the archived rows that it already has. */
import { tableText, type TableSpec } from '../../../model/copy/column-type.ts'
import { RowChecksum, rowHash } from '../../../model/copy/row-hash.ts'
import { equalDigests, type Digest, type Row } from '../../../model/copy/rows.ts'
import { rowKeyOf, rowKeyText, type RowKey } from '../../../model/copy/row-key.ts'
import { SluiceError } from '../../../shared/errors.ts'
import type { CopyStore } from '../../../model/copy/port.ts'
import type { ReadColumn } from '../../../model/copy/read-column.ts'
import type { SourceView } from '../../../model/copy/source-port.ts'
import type { ArchivedPartition } from '../../ledger/record.ts'
import type { ArchiveContext } from '../context.ts'
import { partRows, type RestoredPart } from './part.ts'
import { countText } from '../../../shared/figures.ts'
import { keysText } from '../named-rows.ts'

export type Destination = {
  readonly store: CopyStore
  /** The existing table. */
  readonly table: TableSpec
  /** Columns to write, and their types. */
  readonly columns: readonly ReadColumn[]
  /** Converts a row of a partition's files to these columns. @throws (the function) SluiceError VALUE_REFUSED */
  readonly rowOf: (partition: ArchivedPartition) => (row: Row) => Row
}

/** Rows per read or write, and the maximum number of rows that are selected by their keys. */
export const RESTORE_ROWS = 5000
/** Maximum number of keys that a message names. */
const NAMED = 5

/** `empty`: no rows. `free`: other rows, none with these keys. `there`: all archived rows, with equal values. */
export type DestinationState =
  | { readonly kind: 'empty' }
  | {
      readonly kind: 'free'
      /** Keys of all archived rows; null for more than RESTORE_ROWS. */
      readonly keys: readonly RowKey[] | null
    }
  | { readonly kind: 'there'; readonly digest: Digest }

/**
 * Compares an existing table with the archived rows of the parts.
 * @throws SluiceError TARGET_NOT_EMPTY if some keys are taken, or the rows cannot be distinguished from the table's
 * own; as `partRows`
 */
export async function compareDestination(
  context: ArchiveContext,
  parts: readonly RestoredPart[],
  into: Destination,
): Promise<DestinationState> {
  await using view = await into.store.source(context.interrupt.abort)
  if (await isEmpty(context, view, into)) return { kind: 'empty' }
  const places = keyPlaces(into)
  return places === null
    ? await keylessState(context, parts, into, view)
    : await keyedState(context, parts, into, { view, places })
}

/** Indexes of the key columns in a row; null if the rows lack a key column, or the key may not be unique. */
function keyPlaces({ table, columns }: Destination): readonly number[] | null {
  const places = table.key.map((name) =>
    columns.findIndex((column) => column.name === name && (table.primary || !column.column.nullable)),
  )
  return places.length === 0 || places.includes(-1) ? null : places
}

async function isEmpty(
  { interrupt }: ArchiveContext,
  view: SourceView,
  { table, columns }: Destination,
): Promise<boolean> {
  let seen = false
  const request = {
    table,
    columns: columns.slice(0, 1),
    range: { by: 'all' } as const,
    where: null,
    ordered: false,
    // A row with a value outside its type is a row too.
    onRefused: () => void (seen = true),
  }
  for await (const { rows } of view.read(request, { rows: 1, bytes: 1 << 20 }, interrupt.abort)) {
    seen ||= rows.length > 0
    if (seen) return false
  }
  return !seen
}

/** State of a table with rows but without a key: it must have exactly the archived rows, from an earlier run. */
async function keylessState(
  context: ArchiveContext,
  parts: readonly RestoredPart[],
  { store, table, columns, rowOf }: Destination,
  view: SourceView,
): Promise<DestinationState> {
  const { abort } = context.interrupt
  const wanted = parts.reduce((sum, { expect }) => sum + expect.rows, 0n)
  const { rows } = await view.extent(table, null, true)
  if (rows === wanted) {
    const sum = new RowChecksum()
    for (const part of parts) {
      const row = rowOf(part.partition)
      for await (const some of partRows(context, part, RESTORE_ROWS)) for (const one of some) sum.add(row(one))
    }
    const now = await view.digest({ table, columns, range: { by: 'all' }, where: null, ordered: false }, abort)
    if (equalDigests(now, sum.digest())) return { kind: 'there', digest: now }
  }
  const name = tableText(table.table)
  throw new SluiceError(
    'TARGET_NOT_EMPTY',
    `rows cannot be restored into ${name}: it has ${countText(rows, 'row')} and no key`,
    {
      where: store.label,
      reason: 'restored rows could not be distinguished from those in the table; nothing was changed',
      hint: 'name a new table with --into, and it is created; or empty this one',
    },
  )
}

async function keyedState(
  context: ArchiveContext,
  parts: readonly RestoredPart[],
  into: Destination,
  { view, places }: { readonly view: SourceView; readonly places: readonly number[] },
): Promise<DestinationState> {
  const { rowOf } = into
  const sum = new RowChecksum()
  let [same, missing, changed] = [0n, 0n, 0n]
  const taken: string[] = []
  let keys: RowKey[] | null = []
  for (const part of parts) {
    const row = rowOf(part.partition)
    for await (const some of partRows(context, part, RESTORE_ROWS)) {
      const rows = some.map(row)
      const asked = rows.map((one) => rowKeyOf(one, places))
      const found = await digestsByKey(context, view, into, asked, places)
      const names = new Set(asked.map((key) => JSON.stringify(key)))
      // Rows of the table with another spelling of the key: its collation treats both as equal.
      const others = [...found.keys()].filter((name) => !names.has(name))
      changed += BigInt(others.length)
      for (const name of others.slice(0, NAMED - taken.length)) taken.push(rowKeyText(JSON.parse(name) as RowKey))
      keys = keys === null || keys.length + asked.length > RESTORE_ROWS ? null : [...keys, ...asked]
      for (const [i, one] of rows.entries()) {
        sum.add(one)
        const there = found.get(JSON.stringify(asked[i]))
        if (there === undefined) missing++
        else {
          if (there === rowHash(one)) same++
          else changed++
          if (taken.length < NAMED) taken.push(rowKeyText(asked[i] ?? []))
        }
      }
    }
  }
  const all = same + missing + changed
  if (missing === all) return { kind: 'free', keys }
  if (same === all) return { kind: 'there', digest: sum.digest() }
  throw takenError(into, taken, same + changed, changed)
}

/** Digests of rows of the table by key; empty for a row with a value outside its type. */
async function digestsByKey(
  { interrupt }: ArchiveContext,
  view: SourceView,
  { table, columns }: Destination,
  keys: readonly RowKey[],
  places: readonly number[],
): Promise<ReadonlyMap<string, string>> {
  const found = new Map<string, string>()
  const request = {
    table,
    columns,
    range: { by: 'keys', keys } as const,
    where: null,
    ordered: false,
    onRefused: (row: readonly (string | null)[]) =>
      void found.set(JSON.stringify(places.map((i) => row[i] ?? null)), ''),
  }
  for await (const { rows } of view.read(request, { rows: RESTORE_ROWS, bytes: 16 << 20 }, interrupt.abort)) {
    for (const row of rows) found.set(JSON.stringify(rowKeyOf(row, places)), rowHash(row))
  }
  return found
}

/** @param taken some taken keys @param rows number of taken keys @param changed number of rows with other values */
function takenError(
  { store, table }: Destination,
  taken: readonly string[],
  rows: bigint,
  changed: bigint,
): SluiceError {
  const what =
    rows === 1n ? 'a key of the restored rows already exists' : `${rows} keys of the restored rows already exist`
  return new SluiceError('TARGET_NOT_EMPTY', `${what} in ${tableText(table.table)}: ${keysText(rows, taken)}`, {
    where: store.label,
    reason: `the table has only some of the rows to restore; ${changed === 0n ? 'the existing ones have the same values' : `${changed} of the existing ones have other values`}; nothing was changed`,
    hint: 'name a new table with --into, and it is created; or remove the existing rows from this table',
  })
}
