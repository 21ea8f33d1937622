/** Emits a plan as events. */
import { isByValue } from '../ledger/by-value.ts'
import { dec, type Emit } from '../../model/run/event.ts'
import { tableText } from '../../model/copy/column-type.ts'
import { redactUrl } from '../../shared/redact.ts'
import { boundFields } from './bound-fields.ts'
import { resumeFields, type ResumeState } from './resumable.ts'
import type { PlannedArchive } from './plan.ts'
import type { PlannedPartition } from './planned-status.ts'

/** @param resumeState state of the archive, for a plan only; a run determines it later */
export function emitArchivePlan(
  { table, archived, partitions }: Pick<PlannedArchive, 'table' | 'archived' | 'partitions'>,
  emit: Emit<'archive.columns' | 'archive.planned'>,
  resumeState: ResumeState = { kind: 'own' },
): void {
  const name = tableText(table.table)
  emit({
    type: 'archive.columns',
    table: name,
    archive: redactUrl(archived.archive),
    partitionColumn: archived.stored.partitionColumn,
    calendar: archived.calendar,
    ...(isByValue(archived) && archived.timeColumn !== null ? { byValue: archived.timeColumn } : {}),
    columns: archived.stored.columns.map(({ name: column, column: { native }, stored, as }) => ({
      column,
      source: native,
      stored,
      ...(as.kind === 'native' ? { note: 'as the source prints it' } : {}),
    })),
    ...resumeFields(resumeState),
  })
  const speed = bytesAMs(partitions)
  for (const { label, status, known, candidate, note } of partitions) {
    const bounds = { from: known?.from ?? candidate?.from ?? null, to: known?.to ?? candidate?.to ?? null }
    const bytes = known?.sourceBytes ?? candidate?.bytes ?? 0n
    const due = status === 'due' || (status === 'resume' && known?.digest == null)
    emit({
      type: 'archive.planned',
      table: name,
      partition: label,
      status,
      ...(known === null ? {} : { state: known.state }),
      ...boundFields(archived, bounds),
      rows: dec(known?.digest?.rows ?? candidate?.rows ?? 0n),
      estimated: known?.digest == null && (candidate?.estimated ?? true),
      bytes: dec(bytes),
      ...(due && speed > 0 ? { estimatedMs: Math.round(Number(bytes) / speed) } : {}),
      ...(note === undefined ? {} : { note }),
    })
  }
}

/** Speed of earlier exports of this table, bytes per ms; 0 without any. */
function bytesAMs(partitions: readonly PlannedPartition[]): number {
  const done = partitions.flatMap(({ known }) =>
    known?.exportMs == null || known.sourceBytes === null
      ? []
      : [{ ms: known.exportMs, bytes: Number(known.sourceBytes) }],
  )
  const ms = done.reduce((sum, one) => sum + one.ms, 0)
  return ms === 0 ? 0 : done.reduce((sum, one) => sum + one.bytes, 0) / ms
}
