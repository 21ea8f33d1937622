/** Finds differences between archived periods and the database: late, missing or changed rows and partitions. */
import { otherParts } from '../ledger/parts.ts'
import type { ArchivedPartition, ArchiveRecord } from '../ledger/record.ts'
import type { ArchiveContext } from '../steps/context.ts'
import { attachedByHand } from '../steps/detached-table.ts'
import { restoreCommand } from '../steps/refusals.ts'
import type { RowsPlace } from '../steps/rows-now.ts'
import { differing, type ArchiveFinding } from '../steps/find-damage.ts'
import { throwIfAborted } from '../../shared/abort.ts'
import { SluiceError } from '../../shared/errors.ts'
import { surplusText } from '../../model/archive/surplus-text.ts'
import { tableText } from '../../model/copy/column-type.ts'
import { isArchived } from '../../model/archive/state.ts'
import type { KeyDifferences } from '../../model/archive/query-port.ts'
import type { LogStore } from '../../model/lake/log-store.ts'
import { keyDifferences, keyFindings } from './late-rows.ts'
import type { PlanCounts } from './counted.ts'
import { periodRows, type PeriodState, type PeriodSource } from './period-rows.ts'
import { detachedGone } from './detached-gone.ts'
import { missingDetail, missingPartitions } from './missing-partitions.ts'
import { compareRemaining } from './not-removed.ts'
import { countText } from '../../shared/figures.ts'

/**
 * Counts the rows of periods. Compares them by key if that is cheap (`PeriodState`), or if their number or checksum is
 * not as expected.
 * @param wanted true for requested partitions
 * @param deep true: compare checksums of all rows, too
 * @param inspected collects which periods were checked, and how
 */
export async function* sourceFindings(
  context: ArchiveContext,
  record: ArchiveRecord,
  wanted: (partition: ArchivedPartition) => boolean,
  deep: boolean,
  inspected: PlanCounts,
): AsyncGenerator<ArchiveFinding> {
  const { store, table, interrupt } = context
  const chosen = record.partitions.filter(wanted)
  const missing = await missingPartitions(store, table, record, interrupt.abort)
  const periods = new Set(chosen.map(({ period }) => period))
  const inspections = await periodRows(
    { store, table, signal: interrupt.abort },
    { ...record, partitions: record.partitions.filter(({ period }) => periods.has(period)) },
    'any',
  )
  for (const partition of chosen) {
    if (interrupt.stop.aborted) return
    const state = inspections.get(partition.label)
    yield* partitionFindings(partition, { context, record, missing, state, deep, inspected })
  }
}

/** @property state rows of the period in the source; absent if none are expected */
type Inspection = {
  readonly context: ArchiveContext
  readonly record: ArchiveRecord
  readonly missing: Awaited<ReturnType<typeof missingPartitions>>
  readonly state: PeriodState | undefined
  readonly deep: boolean
  readonly inspected: PlanCounts
}

async function* partitionFindings(
  partition: ArchivedPartition,
  inspection: Inspection,
): AsyncGenerator<ArchiveFinding> {
  const { context, missing, state, inspected } = inspection
  const again = await attachedByHand(context, partition)
  if (again !== null) {
    const compares = restoreCommand(context.name, partition)
    return yield differing(
      partition,
      `its table was attached again by hand, as ${tableText(again)}, and its rows there are the valid ones; ${compares} compares them, and removes them from the archive`,
    )
  }
  const taken = missing.find((one) => one.partition.label === partition.label)
  if (taken !== undefined) return yield differing(partition, missingDetail(taken))
  const gone = await detachedGone(context.store, context.name, partition, context.interrupt.abort)
  if (gone !== null) yield differing(partition, gone)
  if (partition.state !== 'EXPIRED') return yield* rowFindings(partition, inspection)
  if (state !== undefined) inspected.addPeriod(state)
  yield* lateExpired(partition, state)
}

/** Findings about the rows of a partition: rows in the default partition, other values, other keys, or more rows. */
async function* rowFindings(
  partition: ArchivedPartition,
  { context, record, state, deep, inspected }: Inspection,
): AsyncGenerator<ArchiveFinding> {
  const { store, table, interrupt, reader } = context
  const source = { store, table, signal: interrupt.abort }
  const sums = deep ? await compareRemaining(context, partition) : 'none'
  const differs = typeof sums === 'string' ? null : sums
  const counted = state !== undefined && 'rows' in state ? state : null
  const neighbours = counted !== null && counted.rows > 0n ? counted.place : undefined
  if (neighbours !== undefined) {
    inspected.by(sums === 'none' ? 'count' : 'values')
    yield* await lateNeighbours(source, record, partition, neighbours, reader)
    if (differs !== null) yield differs
    return
  }
  const surplus = counted?.surplus ?? 0n
  const isSuspect = differs !== null || surplus !== 0n
  // During a restore, the expected number of rows is unknown: always compare values.
  const isComing = partition.native === null && partition.restoring
  const isKeyed = counted !== null && (isSuspect || (sums === 'none' && counted.cheap && counted.rows > 0n))
  const values = isSuspect || isComing
  const byKey = isComing || isKeyed ? await differencesByKey(source, record, partition, values, reader) : null
  if (sums !== 'none') inspected.by('values')
  else if (byKey !== null) inspected.by(values ? 'values' : 'keys')
  else if (state !== undefined) inspected.addPeriod(state)
  if (byKey !== null && byKey.length > 0) yield* byKey
  else if (differs !== null) yield differs
  else if (surplus !== 0n) yield differing(partition, surplusText(surplus))
}

/** Reports all rows of an expired period as late, because its files may be gone. */
function* lateExpired({ label }: ArchivedPartition, state: PeriodState | undefined): Generator<ArchiveFinding> {
  if (state === undefined || !('rows' in state) || state.rows === 0n) return
  const where = state.place === undefined ? 'the table' : `${tableText(state.place.table.table)}, the default partition`
  const detail = `${countText(state.rows, 'row')} in ${where}, of a period that has expired`
  yield { finding: 'late rows', partition: label, detail }
}

/** Findings for rows that were inserted after their partition was removed: they are in the default partition. */
async function lateNeighbours(
  { store, signal }: PeriodSource,
  record: ArchiveRecord,
  partition: ArchivedPartition,
  { table, where }: RowsPlace,
  reader: LogStore,
): Promise<readonly ArchiveFinding[]> {
  let found: KeyDifferences | null = null
  const parts = [partition, ...archivedNeighbours(partition, record)]
  try {
    found = await keyDifferences({ store, table, signal }, record, parts, reader, { values: false, where })
  } catch (thrown) {
    throwIfAborted(signal)
    if (!(thrown instanceof SluiceError)) throw thrown
  }
  const finding = (many: bigint, what: string): readonly ArchiveFinding[] =>
    many === 0n
      ? []
      : [
          {
            finding: 'late rows',
            partition: partition.label,
            detail: `${countText(many, 'row')} in ${tableText(table.table)}, the default partition, ${what}`,
          },
        ]
  if (found === null) {
    await using view = await store.source(signal)
    const { rows } = await view.extent(table, where, true)
    return finding(rows, 'not compared by key')
  }
  const { late, both } = found
  return [
    ...finding(late.rows, `but not in the archive: ${late.keys.join('; ')}`),
    ...finding(both.rows, 'with keys of archived rows'),
  ]
}

/** Other archived parts of the period: their rows are not late. */
function archivedNeighbours(partition: ArchivedPartition, { partitions }: ArchiveRecord): readonly ArchivedPartition[] {
  return otherParts(partition, partitions).filter(({ state }) => isArchived(state))
}

/**
 * Differences of a period by key. Null if table or files lack a key column, or if a file cannot be read: another
 * finding reports that file.
 * @param values true: always compare values; false: only if keys differ
 */
async function differencesByKey(
  source: PeriodSource,
  record: ArchiveRecord,
  partition: ArchivedPartition,
  values: boolean,
  reader: LogStore,
): Promise<readonly ArchiveFinding[] | null> {
  const neighbours = archivedNeighbours(partition, record)
  try {
    const found = await keyFindings(source, record, partition, reader, values, neighbours)
    if (found === null || found.length === 0 || values) return found
    return await keyFindings(source, record, partition, reader, true, neighbours)
  } catch (thrown) {
    throwIfAborted(source.signal)
    if (!(thrown instanceof SluiceError)) throw thrown
    const { code, message } = thrown
    if (code === 'PARTITION_CHANGED' || code === 'SOURCE_GONE') return null
    // A row with a value that no archive can store was not archived, so it is a difference.
    if (code === 'VALUE_REFUSED') return [differing(partition, message)]
    throw thrown
  }
}
