/** State of a partition on its way into the archive. */
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
 * Location of the valid rows of a partition: the source up to PUBLISHED and after RESTORED; the archive from DETACHED
 * on. DETACHING: the table that was detached from its parent, until its checksum is computed. EXPIRED: nowhere. FAILED:
 * as in the state before; a person must inspect it first.
 */
export type ArchiveState = (typeof ARCHIVE_STATES)[number]

/** True if the Delta table lists the files of the partition. */
export function isPublished(state: ArchiveState): boolean {
  return state === 'PUBLISHED' || state === 'DETACHING' || isArchived(state)
}

/** True if the archive holds the rows of the partition instead of the source. */
export function isArchived(state: ArchiveState): boolean {
  return state === 'DETACHED' || state === 'DROPPED'
}
