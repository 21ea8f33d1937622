/** Compares the rows of an archived partition in the source with the archived ones, by digest and by key. */
import type { TableSpec } from '../../model/copy/column-type.ts'
import { rowHash } from '../../model/copy/row-hash.ts'
import { rowKeyOf, type RowKey } from '../../model/copy/row-key.ts'
import { equalDigests, type Digest, type Row } from '../../model/copy/rows.ts'
import { nullOn } from '../../shared/errors.ts'
import type { SourceView } from '../../model/copy/source-port.ts'
import type { ArchivedPartition } from '../ledger/record.ts'
import { type SharedColumn, fileColumns } from '../types/fit.ts'
import { fitNow, progress, sharedColumns, wholeRequest, type ArchiveContext } from './context.ts'
import { NamedRowCounter, type NamedRows, keysText } from './named-rows.ts'
import { proofOver, proveArchived } from './prove.ts'
import { storedRows } from './stored-rows.ts'
import { proofOf } from './step-end.ts'
import { countText } from '../../shared/figures.ts'

/** Where the rows are. @property isOwn true for a detached table, which keeps its columns from before the detach */
export type RowsPlace = { readonly table: TableSpec; readonly where: string | null; readonly isOwn?: true }

/** @property back other parts of the period that were restored: their rows are among the late rows */
export type LateRows = NamedRows & { readonly back?: readonly string[] }

/** Finds rows whose key is not in the archive; null if this cannot be decided. */
export type FindLate = (partition: ArchivedPartition, place: RowsPlace) => Promise<LateRows | null>

export type RowsNow =
  /** All rows are equal, by count and checksum. */
  | { readonly kind: 'equal'; readonly now: Digest }
  /** The rows differ from the archived ones, but it is unknown which rows differ: see `why`. */
  | { readonly kind: 'counted'; readonly now: Digest | null; readonly rows: bigint; readonly why: string }
  /** Compared by key: archived rows are `same`, `changed` or `missing`; `late` rows are not in the archive. */
  | {
      readonly kind: 'keyed'
      /** Digest of the rows in the source; null if a row has a value outside its type. */
      readonly now: Digest | null
      readonly rows: bigint
      readonly same: bigint
      readonly missing: NamedRows
      readonly changed: NamedRows
      readonly late: LateRows
    }

/** Keys per lookup. */
const AT_ONCE = 1000
const SIZE = { rows: AT_ONCE, bytes: 16 * 1024 * 1024 }

/**
 * Compares all columns of all rows. The files are read only if the digests differ; then their rows are searched by key
 * in the whole table, because a row may have been moved to another period.
 * @throws SluiceError ARCHIVE_CONFLICT, PROOF_FAILED for files that differ from their proof; CONNECTION_LOST, SOURCE_IO
 * …
 */
export async function rowsNow(
  context: ArchiveContext,
  partition: ArchivedPartition,
  place: RowsPlace,
  late: FindLate,
): Promise<RowsNow> {
  const { store } = context
  const { table, where } = place
  const shared = sharedAt(context, partition, place)
  await using view = await store.source(context.interrupt.abort)
  const gone = shared.filter(({ now: { name } }) => !table.columns.some((column) => column.name === name))
  const now = gone.length > 0 ? null : await digestOf(context, view, place, shared)
  const proof = await proofOver(context, partition, fileColumns(shared))
  if (now !== null && equalDigests(now, proof)) return { kind: 'equal', now }
  const rows = now?.rows ?? (await view.extent(table, where, true)).rows
  if (gone.length > 0) {
    return {
      kind: 'counted',
      now,
      rows,
      why: `the table no longer has the column ${gone.map(({ now: { name } }) => name).join(', ')}`,
    }
  }
  if (keyPlaces(shared, table) === null) return { kind: 'counted', now, rows, why: 'without a key' }
  // A damaged file would show unchanged rows as changed.
  await proveArchived(context, partition)
  const found = await compareByKey(context, partition, { table, shared, where }, view)
  const besides = rows - found.same
  const changed = found.changed.rows - (found.changed.outside?.rows ?? 0n)
  const reported = besides > 0n ? await late(partition, place) : { rows: 0n, keys: [] }
  const uncounted = besides > changed ? besides - changed : 0n
  return { kind: 'keyed', now, rows, ...found, late: reported ?? { rows: uncounted, keys: [] } }
}

/** Columns that are compared between archived rows and rows in the source. */
export function sharedAt(
  context: ArchiveContext,
  partition: Pick<ArchivedPartition, 'columns'>,
  { isOwn }: Pick<RowsPlace, 'isOwn'>,
): readonly SharedColumn[] {
  if (isOwn === true) return partition.columns.map((column) => ({ file: column, now: column }))
  return fitNow(context, partition).shared
}

/** Digest of the rows; null if a row has a value outside its type: such a row was never archived. */
async function digestOf(
  { interrupt }: ArchiveContext,
  view: SourceView,
  { table, where }: RowsPlace,
  shared: readonly SharedColumn[],
): Promise<Digest | null> {
  const digest = view.digest(wholeRequest(table, sharedColumns(shared), where), interrupt.abort)
  return await digest.catch(nullOn('VALUE_REFUSED'))
}

/** Indexes of the key columns in a row; null without a key, or if the archive lacks a key column. */
export function keyPlaces(shared: readonly SharedColumn[], { key }: TableSpec): readonly number[] | null {
  const places = key.map((name) => shared.findIndex(({ now }) => now.name === name))
  return places.length === 0 || places.includes(-1) ? null : places
}

async function compareByKey(
  context: ArchiveContext,
  partition: ArchivedPartition,
  into: ComparedTable & Pick<RowsPlace, 'where'>,
  view: SourceView,
): Promise<{ readonly same: bigint; readonly missing: NamedRows; readonly changed: NamedRows }> {
  const report = progress(context, partition, 'verifying', proofOf(partition).rows)
  const [missing, changed, outside] = [new NamedRowCounter(), new NamedRowCounter(), new NamedRowCounter()]
  let same = 0n
  for await (const rows of storedRows(context, partition, fileColumns(into.shared), AT_ONCE)) {
    const standing = await compareRowsNow(context, into, view, rows)
    for (const { how, key, there } of standing) {
      if (how === 'same') same++
      else (how === 'missing' ? missing : changed).add(key, there)
    }
    const taken = standing.flatMap(({ how, key, there }) => (how === 'changed' ? [there ?? key] : []))
    for (const key of await outsideOf(context, into, view, taken)) outside.add(key)
    report(same + missing.rows + changed.rows, 0n)
  }
  const others = outside.rows === 0n ? {} : { outside: outside.named() }
  return { same, missing: missing.named(), changed: { ...changed.named(), ...others } }
}

/** Keys of rows that the table has only outside of the range; empty if a key value cannot be read. */
async function outsideOf(
  { interrupt }: ArchiveContext,
  { table, shared, where }: ComparedTable & Pick<RowsPlace, 'where'>,
  view: SourceView,
  keys: readonly RowKey[],
): Promise<readonly RowKey[]> {
  if (where === null || keys.length === 0) return []
  const columns = shared.filter(({ now }) => table.key.includes(now.name))
  const places = keyPlaces(columns, table) ?? []
  const within = new Set<string>()
  let isRefused = false
  const request = {
    table,
    columns: sharedColumns(columns),
    range: { by: 'keys', keys } as const,
    where,
    ordered: false,
    onRefused: () => void (isRefused = true),
  }
  for await (const { rows } of view.read(request, SIZE, interrupt.abort))
    for (const row of rows) within.add(JSON.stringify(rowKeyOf(row, places)))
  return isRefused ? [] : keys.filter((key) => !within.has(JSON.stringify(key)))
}

type ArchivedKey = {
  readonly row: Row
  readonly key: RowKey
  readonly how: 'same' | 'missing' | 'changed'
  /** Key of the row in the table, if it is spelled differently there. The collation treats both spellings as equal. */
  readonly there?: RowKey
}

/** A table, and the columns that are compared with archived rows. */
export type ComparedTable = { readonly table: TableSpec; readonly shared: readonly SharedColumn[] }

/** Compares archived rows with rows of a table, by key. @param rows archived rows, with the shared columns */
export async function compareRowsNow(
  context: ArchiveContext,
  { table, shared }: ComparedTable,
  view: SourceView,
  rows: readonly Row[],
): Promise<readonly ArchivedKey[]> {
  const places = keyPlaces(shared, table) ?? []
  const keyOf = (row: Row): RowKey => rowKeyOf(row, places)
  const asked = new Set(rows.map((row) => JSON.stringify(keyOf(row))))
  const found = new Map<string, string>()
  let refused = 0
  /** @returns keys of found rows that are spelled differently from the requested ones */
  const readOthers = async (keys: readonly RowKey[]): Promise<readonly RowKey[]> => {
    const request = {
      table,
      columns: sharedColumns(shared),
      range: { by: 'keys', keys } as const,
      where: null,
      ordered: false,
      onRefused: () => void refused++,
    }
    const others: RowKey[] = []
    for await (const batch of view.read(request, SIZE, context.interrupt.abort)) {
      for (const row of batch.rows) {
        const name = JSON.stringify(keyOf(row))
        if (asked.has(name)) found.set(name, rowHash(row))
        else others.push(keyOf(row))
      }
    }
    return others
  }
  let others = (await readOthers(rows.map(keyOf))).length
  const standing: ArchivedKey[] = []
  for (const row of rows) {
    const key = keyOf(row)
    const name = JSON.stringify(key)
    if (!found.has(name) && (refused > 0 || others > 0)) {
      // For an unreadable row, or a key with another spelling, the matching key is unknown: read each key alone.
      const before = refused
      const [there] = await readOthers([key])
      if (there !== undefined) {
        others--
        standing.push({ row, key, how: 'changed', there })
        continue
      }
      if (refused > before) found.set(name, '')
    }
    const there = found.get(name)
    standing.push({ row, key, how: there === undefined ? 'missing' : there === rowHash(row) ? 'same' : 'changed' })
  }
  return standing
}

/** Differences as text: `10 archived rows are missing (3; 5 …), 1 row has other values (7)`. */
export function rowsNowText(found: RowsNow, archived: bigint): string {
  if (found.kind === 'equal') return `${rowCount(found.now.rows)}, equal to the archived ones by count and checksum`
  if (found.kind === 'counted')
    return `${rowCount(found.rows)} now, ${archived} when it was archived, and they differ (${found.why}; it is unknown which)`
  const { missing, changed, late } = found
  const parts = [
    ...(missing.rows === 0n ? [] : [named(missing, 'archived row is missing', 'archived rows are missing')]),
    ...(changed.rows === 0n ? [] : [named(changed, 'row has other values', 'rows have other values')]),
    ...(changed.outside === undefined ? [] : [outsideText(changed.outside, changed.rows)]),
    ...(late.rows === 0n ? [] : [lateText(late)]),
  ]
  return parts.length === 0 ? 'no row is missing, changed or late' : parts.join(', ')
}

/** Text about changed rows outside of the range: other rows with the same keys, or rows with a changed time. */
function outsideText(outside: NamedRows, changed: bigint): string {
  if (outside.rows === changed)
    return changed === 1n ? 'which is outside of the partition' : 'all of them outside of the partition'
  return named(outside, 'of them is outside of the partition', 'of them are outside of the partition')
}

function lateText({ back = [], ...late }: LateRows): string {
  if (back.length === 0) return named(late, 'row was added later', 'rows were added later')
  const parts = `${back.join(', ')}, which ${back.length === 1 ? 'was' : 'were'} restored`
  return named(
    late,
    `more row is in the table, of ${parts}, or later`,
    `more rows are in the table, of ${parts}, or later`,
  )
}

function rowCount(rows: bigint): string {
  return countText(rows, 'row')
}

function named({ rows, keys }: NamedRows, one: string, many: string): string {
  const text = `${rows} ${rows === 1n ? one : many}`
  return keys.length === 0 ? text : `${text} (${keysText(rows, keys)})`
}
