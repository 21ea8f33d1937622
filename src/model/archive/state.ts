/** How far a partition has come on its way into the archive. */
export const ARCHIVE_STATES = [
  'PLANNED',
  'EXPORTING',
  'EXPORTED',
  'VERIFIED',
  'PUBLISHED',
  'DETACHING',
  'DETACHED',
  'DROPPED',
  'RESTORED',
  'EXPIRED',
  'FAILED',
] as const

/**
 * From DETACHED on the archive answers for the rows of a partition, and what is left of it in the source does not count. Before that, and after
 * RESTORED, the source does; DETACHING: its table has left the partitioned one, and its rows count from there until they are summed. EXPIRED: they count nowhere any more. FAILED: nobody can go on before a person has looked; what counts is what counted before.
 */
export type ArchiveState = (typeof ARCHIVE_STATES)[number]

/** Whether the Delta table names its files. */
export function isPublished(state: ArchiveState): boolean {
  return state === 'PUBLISHED' || state === 'DETACHING' || isArchived(state)
}

/** Whether rows of the partition are those of the archive. */
export function isArchived(state: ArchiveState): boolean {
  return state === 'DETACHED' || state === 'DROPPED'
}
