/** Finds where the rows of a published partition are: in the table, in a detached table, or only in the archive. */
import type { ArchivedPartition } from '../ledger/record.ts'
import { partitionCondition, type ArchiveContext } from '../steps/context.ts'
import { nativePartitions } from '../steps/detached-table.ts'
import { differing, type ArchiveFinding } from '../steps/find-damage.ts'
import { rowsNow, rowsNowText, type FindLate, type RowsNow } from '../steps/rows-now.ts'
import { proofOf } from '../steps/detach-and-drop.ts'
import { equalDigests, type Digest } from '../../model/copy/rows.ts'
import { nullOn } from '../../shared/errors.ts'
import type { NativePartition, NativePartitions } from '../../model/archive/port.ts'
import { digestNow, expectedNow } from '../plan/not-removed.ts'
import { columnNamed } from '../../engine/copy/plan/column-named.ts'

/** `accepted`: the partition if the user accepts the difference; absent if it cannot be accepted. */
export type FoundPartition =
  | { readonly partition: ArchivedPartition }
  | { readonly finding: ArchiveFinding; readonly accepted?: ArchivedPartition }

export type RebuildContext = {
  /** Partitions of the source; null for a plain table. */
  readonly natives: NativePartitions | null
  readonly late: FindLate
}

/**
 * @param parts all parts of one period, in state PUBLISHED, as the log has them
 * @returns the result for each part, by its label @throws SluiceError CONNECTION_LOST …
 */
export async function locateRows(
  context: ArchiveContext,
  parts: readonly ArchivedPartition[],
  { natives, late }: RebuildContext,
): Promise<ReadonlyMap<string, FoundPartition>> {
  if (natives === null) return plainResult(context, parts, late)
  if (context.archived.timeColumn !== null) {
    const rows = parts.filter(({ native }) => native === null)
    const tables = parts.filter(({ native }) => native !== null)
    return new Map([...(await plainResult(context, rows, late)), ...(await nativeResult(context, tables, natives))])
  }
  return nativeResult(context, parts, natives)
}

async function nativeResult(
  context: ArchiveContext,
  parts: readonly ArchivedPartition[],
  natives: NativePartitions,
): Promise<ReadonlyMap<string, FoundPartition>> {
  const found = new Map<string, FoundPartition>()
  const left: ArchivedPartition[] = []
  let standing = 0n
  for (const part of parts) {
    const attached = attachedAs(natives, part)
    const seen = attached === null ? null : await attachedResult(context, part, attached)
    if (seen === null) {
      left.push(part)
      continue
    }
    found.set(part.label, seen)
    if ('partition' in seen && seen.partition.state === 'PUBLISHED') standing += proofOf(part).rows
  }
  for (const part of left) found.set(part.label, await unattachedResult(context, part, natives, standing))
  return found
}

/** Result for a partition that is not attached. @param standing rows between its bounds that belong to other parts */
async function unattachedResult(
  context: ArchiveContext,
  logged: ArchivedPartition,
  natives: NativePartitions,
  standing: bigint,
): Promise<FoundPartition> {
  const { native } = logged
  if (native === null) {
    const detail =
      'its files do not name their table: an older sluice published them; if the ledger still exists, a run of this sluice adds the name'
    return { finding: differing(logged, detail) }
  }
  const besides = (await rowsInParent(context, logged, natives)) - standing
  const found = await detachedResult(context, logged, native)
  if ('finding' in found || besides <= 0n) return found
  const detail = `${besides} other rows of its period are in the table`
  return { finding: differing(logged, detail), accepted: found.partition }
}

/** Result for parts in a plain table: rows between the bounds belong to at most one part; other parts were removed. */
async function plainResult(
  context: ArchiveContext,
  parts: readonly ArchivedPartition[],
  late: FindLate,
): Promise<ReadonlyMap<string, FoundPartition>> {
  const found = new Map<string, FoundPartition>(
    parts.map((part) => [part.label, { partition: { ...part, state: 'DROPPED' as const } }]),
  )
  const [first] = parts
  if (first === undefined) return found
  const now = await digestOrNull(context, first)
  if (now !== null && now.rows === 0n) return found
  const rest: { readonly part: ArchivedPartition; readonly rows: RowsNow }[] = []
  const place = { table: context.table, where: partitionCondition(context, first) }
  for (const part of parts) {
    if (now !== null && equalDigests(now, await expectedNow(context, part)))
      return found.set(part.label, { partition: part })
    const rows = await rowsNow(context, part, place, late)
    if (!isGone(rows, part)) rest.push({ part, rows })
  }
  const [one, ...more] = rest
  if (one === undefined) {
    // The table has no archived row of the period: all of its rows are late.
    const last = parts.at(-1) ?? first
    const detail = `${now?.rows ?? 0n} rows of its period are in the table, and none of them is archived`
    return found.set(last.label, { finding: differing(last, detail), accepted: { ...last, state: 'DROPPED' } })
  }
  if (more.length === 0) return found.set(one.part.label, await remainingResult(context, one.part, one.rows, now))
  for (const { part, rows } of rest) {
    found.set(part.label, { finding: differing(part, rowsNowText(rows, proofOf(part).rows)) })
  }
  return found
}

function isGone(rows: RowsNow, part: ArchivedPartition): boolean {
  return rows.kind === 'keyed' && rows.missing.rows === proofOf(part).rows
}

/** Result for a plain table: the finding, and the partition if the user accepts the difference. */
export async function remainingResult(
  context: ArchiveContext,
  part: ArchivedPartition,
  rows: RowsNow,
  now: Digest | null,
): Promise<FoundPartition> {
  const finding = differing(part, rowsNowText(rows, proofOf(part).rows))
  if (rows.kind !== 'keyed') return { finding }
  if (rows.missing.rows === 0n) return { finding, accepted: part }
  // Some rows are only in the archive, as after an interrupted removal.
  const isRest = rows.changed.rows === 0n && rows.late.rows === 0n && now !== null
  const removed = isRest ? subtractDigest(await expectedNow(context, part), now) : null
  return removed === null ? { finding } : { finding, accepted: { ...part, state: 'DETACHED', removed } }
}

/** Result for an attached partition; null if the attached table is another one with the same bounds. */
async function attachedResult(
  context: ArchiveContext,
  logged: ArchivedPartition,
  { table, identity }: NativePartition,
): Promise<FoundPartition | null> {
  const partition = { ...logged, native: { table: table.table, identity } }
  const isOwn = identity === logged.native?.identity
  const now = await digestOrNull(context, partition)
  if (isOwn && now !== null && now.rows === 0n) return { partition: { ...partition, state: 'DROPPED' } }
  if (now !== null && equalDigests(now, await expectedNow(context, partition))) return { partition }
  // A different identity and different rows: another table with these bounds.
  if (!isOwn && logged.native !== null) return null
  return { finding: differing(logged, countsText(now, logged)), accepted: partition }
}

/** Result for a table that is no longer attached to its parent. */
export async function detachedResult(
  context: ArchiveContext,
  logged: ArchivedPartition,
  { table, identity }: NonNullable<ArchivedPartition['native']>,
): Promise<FoundPartition> {
  const { abort } = context.interrupt
  const partitions = nativePartitions(context)
  const found = await partitions.detachedTable(table, identity, abort)
  const dropped: ArchivedPartition = { ...logged, state: 'DROPPED' }
  if (found === null) {
    if (await partitions.isGone(table, identity, abort)) return { partition: dropped }
    const { schema, name } = partitions.detachedName(table, identity)
    const detail = `its detached table is not the table that was at ${schema ?? ''}.${name}: it was moved, renamed or attached by hand`
    return { finding: differing(logged, detail), accepted: dropped }
  }
  const detached: ArchivedPartition = { ...logged, state: 'DETACHED' }
  const now = await digestOrNull(context, detached)
  if (now !== null && equalDigests(now, proofOf(logged))) return { partition: detached }
  // The state right after a detach: queries read the rows from the detached table, and the next run exports them again.
  const detail = `in its detached table: ${countsText(now, logged)}`
  return { finding: differing(logged, detail), accepted: { ...logged, state: 'DETACHING', away: true } }
}

/** The attached table by identity, or by bounds: in another database, a table has another identity. */
function attachedAs({ partitions }: NativePartitions, { native, from, to }: ArchivedPartition): NativePartition | null {
  const own = partitions.find(({ identity }) => identity === native?.identity)
  if (own !== undefined) return own
  if (from === null && to === null) return null
  return partitions.find((one) => !one.isDefault && one.from === from && one.to === to) ?? null
}

async function rowsInParent(
  { store, table, interrupt }: ArchiveContext,
  { from, to }: ArchivedPartition,
  { by }: NativePartitions,
): Promise<bigint> {
  const condition = store.offers.times?.condition(columnNamed(table, by), from, to) ?? null
  if (condition === null) throw new Error(`the column ${by} is not a time`)
  await using view = await store.source(interrupt.abort)
  return (await view.extent(table, condition, true)).rows
}

/** Digest of the partition's rows in the source; null if a value is outside its type: such a row was never proved. */
function digestOrNull(context: ArchiveContext, partition: ArchivedPartition): Promise<Digest | null> {
  return digestNow(context, partition).catch(nullOn('VALUE_REFUSED'))
}

function countsText(now: Digest | null, { digest }: ArchivedPartition): string {
  const rows = digest?.rows ?? 0n
  if (now === null) return 'a row has a value that is not valid for its type'
  return now.rows === rows
    ? `${rows} rows on both sides, but with different values`
    : `${now.rows} rows in the database, ${rows} in the archive`
}

/** Digest of the missing rows; null if `rest` cannot be a subset of `all`. */
function subtractDigest(all: Digest, rest: Digest): Digest | null {
  const sum = BigInt(`0x${all.sum}`) - BigInt(`0x${rest.sum}`)
  return sum < 0n ? null : { rows: all.rows - rest.rows, sum: sum.toString(16).padStart(16, '0') }
}
