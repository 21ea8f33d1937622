import type { StoredColumn } from '../../model/archive/stored-column.ts'
import type { NewPartition } from './partition-facts.ts'
import type { ArchivedPartition } from './record.ts'

/** A partition before its first step. @param columns columns that its files will have */
export function plannedPartition(
  { label, period = label, part = 1, from, to, native, chosenBy = null }: NewPartition,
  columns: readonly StoredColumn[],
): ArchivedPartition {
  return {
    label,
    period,
    part,
    from,
    to,
    native,
    state: 'PLANNED',
    digest: null,
    sourceBytes: null,
    files: [],
    filePrefix: null,
    version: null,
    removed: { rows: 0n, sum: '0' },
    restoring: false,
    retracted: false,
    held: null,
    fence: 0n,
    holder: null,
    error: null,
    changedMs: null,
    exportMs: null,
    dropAfterMs: null,
    graceOver: false,
    logged: [],
    own: null,
    columns,
    away: false,
    expired: null,
    sweptMs: null,
    leaving: false,
    chosenBy,
  }
}
