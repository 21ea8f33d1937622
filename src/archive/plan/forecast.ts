/** Forecasts the size and time of a run from earlier exports of the same table. */
import type { ArchivedPartition } from '../ledger/record.ts'
import { tableText, type TableName } from '../../model/copy/column-type.ts'
import { dec, type Emit } from '../../model/run/event.ts'
import type { LedgerDatabase } from '../../model/run/ledger-port.ts'
import { ledgerDialect } from '../../stores/ledger-dialect.ts'
import { ledgerColumns } from '../ledger/schema.ts'
import type { PlannedArchive } from './plan.ts'
import type { PlannedPartition } from './planned-status.ts'
import { textOrNull } from '../../stores/common/cells.ts'

/** Emits nothing if no partition is due. */
export async function emitArchiveForecast(
  { table, archived, partitions, before }: Pick<PlannedArchive, 'table' | 'archived' | 'partitions' | 'before'>,
  { database, workers = 1 }: { readonly database: LedgerDatabase; readonly workers?: number | undefined },
  emit: Emit<'archive.forecast'>,
): Promise<void> {
  const due = partitions.filter(({ status }) => status === 'due' || status === 'resume')
  const drops = partitions.filter(({ status }) => status === 'drop')
  if (due.length + drops.length === 0) return
  const earlier = before?.partitions ?? []
  const exported = earlier.flatMap((one) => sizeOf(one) ?? [])
  const all = due.map((one) => {
    const own = one.known === null ? null : sizeOf(one.known)
    return own ?? estimatedSize(rowsOf(one), exported)
  })
  const taken = due.length === 0 ? new Map<string, number>() : await durationsByLabel(database, archived.table)
  const rows = all.reduce((sum, one) => sum + one.rows, 0n)
  const ms =
    due.length === 0
      ? null
      : plannedMs(
          samplesOf(earlier, taken),
          all.map((one) => one.rows),
        )
  emit({
    type: 'archive.forecast',
    table: tableText(table.table),
    partitions: dec(due.length),
    drops: dec(drops.length),
    rows: dec(rows),
    estimated: due.some(({ known, candidate }) => known?.digest == null && (candidate?.estimated ?? true)),
    ...(exported.length === 0 || due.length === 0
      ? {}
      : {
          sourceBytes: dec(all.reduce((sum, one) => sum + one.sourceBytes, 0n)),
          bytes: dec(all.reduce((sum, one) => sum + one.bytes, 0n)),
        }),
    ...(ms === null ? {} : { ms: Math.round(ms) }),
    workers: Math.max(1, Math.min(workers, due.length + drops.length)),
    from: dec(exported.length),
  })
}

/**
 * Time from the start of an export until the partition is DETACHED, or PUBLISHED if it was not detached, ms by label.
 * Includes only partitions whose steps were all done under one claim. Of several such claims, the latest is used.
 */
async function durationsByLabel(
  database: LedgerDatabase,
  { schema, name }: TableName,
): Promise<ReadonlyMap<string, number>> {
  if ((await ledgerColumns(database, 'migration_archive_history')).size === 0) return new Map()
  const { castText } = ledgerDialect(database.dialect).types
  const rows = await database.all(
    `SELECT partition_name, CAST(fence AS ${castText}), state, CAST(at_ms AS ${castText}) FROM migration_archive_history WHERE schema_name = ? AND table_name = ?`,
    [schema ?? '', name],
  )
  const times = new Map<string, Map<string, number>>()
  for (const [label, fence, state, at] of rows.map((row) => row.map(textOrNull))) {
    const key = JSON.stringify([label, fence])
    times.set(key, (times.get(key) ?? new Map<string, number>()).set(state ?? '', Number(at)))
  }
  const taken = new Map<string, { readonly since: number; readonly ms: number }>()
  for (const [key, states] of times) {
    const [since, end] = [states.get('EXPORTING'), states.get('DETACHED') ?? states.get('PUBLISHED')]
    const [label = ''] = JSON.parse(key) as readonly string[]
    if (since === undefined || end === undefined || end < since || (taken.get(label)?.since ?? 0) > since) continue
    taken.set(label, { since, ms: end - since })
  }
  return new Map([...taken].map(([label, { ms }]) => [label, ms]))
}

type Size = { readonly rows: bigint; readonly sourceBytes: bigint; readonly bytes: bigint }

/** Size of an exported partition; null if it was not exported, or has no rows. */
function sizeOf({ digest, sourceBytes, files }: ArchivedPartition): Size | null {
  if (digest === null || digest.rows === 0n || sourceBytes === null || files.length === 0) return null
  return { rows: digest.rows, sourceBytes, bytes: files.reduce((sum, { bytes }) => sum + bytes, 0n) }
}

function rowsOf({ known, candidate }: PlannedPartition): bigint {
  return known?.digest?.rows ?? candidate?.rows ?? 0n
}

/** Assumes the average row size and compression of all earlier exports. */
function estimatedSize(rows: bigint, exported: readonly Size[]): Size {
  const sum = (of: (one: Size) => bigint): bigint => exported.reduce((all, one) => all + of(one), 0n)
  const known = sum((one) => one.rows)
  if (known === 0n) return { rows, sourceBytes: 0n, bytes: 0n }
  return {
    rows,
    sourceBytes: (rows * sum((one) => one.sourceBytes)) / known,
    bytes: (rows * sum((one) => one.bytes)) / known,
  }
}

/** Samples with fewer rows are not used for the time per row: they show only the fixed time of the steps. */
const MIN_SAMPLE_ROWS = 100
/** A partition with more rows than this multiple of the largest archived one cannot be forecast. */
const MAX_SIZE_RATIO = 10

export type ExportSample = { readonly rows: bigint; readonly ms: number }

/**
 * @param samples times of earlier partitions
 * @param due rows of each partition to process
 * @returns ms; null if the samples are not sufficient. Adds for each partition the time of the fastest sample, and its
 * rows times the median time per row, so that a sample that waited for locks does not affect the forecast
 */
export function plannedMs(samples: readonly ExportSample[], due: readonly bigint[]): number | null {
  const telling = samples.filter(({ rows }) => rows >= MIN_SAMPLE_ROWS)
  const largest = telling.reduce((most, { rows }) => (rows > most ? rows : most), 0n)
  if (telling.length === 0 || due.some((rows) => rows > largest * BigInt(MAX_SIZE_RATIO))) return null
  const base = samples.length > 1 ? Math.min(...samples.map(({ ms }) => ms)) : 0
  const paces = telling.map(({ rows, ms }) => (ms - base) / Number(rows)).toSorted((a, b) => a - b)
  const pace = paces[Math.floor(paces.length / 2)] ?? 0
  return due.reduce((sum, rows) => sum + base + pace * Number(rows), 0)
}

function samplesOf(earlier: readonly ArchivedPartition[], taken: ReadonlyMap<string, number>): readonly ExportSample[] {
  return earlier.flatMap(({ label, digest }) => {
    const ms = taken.get(label)
    return ms === undefined || digest === null || digest.rows === 0n ? [] : [{ rows: digest.rows, ms }]
  })
}
