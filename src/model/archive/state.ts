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
 * Where the rows of a partition count: in the source up to PUBLISHED and after RESTORED; in the archive from DETACHED
 * on. DETACHING: the table has left its parent and its rows count from there until their checksum is computed. EXPIRED:
 * nowhere. FAILED: a person must inspect it first; the rows count where they counted before.
 */
export type ArchiveState = (typeof ARCHIVE_STATES)[number]

/** True if the Delta table lists its files. */
export function isPublished(state: ArchiveState): boolean {
  return state === 'PUBLISHED' || state === 'DETACHING' || isArchived(state)
}

/** True if the archive holds the rows of the partition instead of the source. */
export function isArchived(state: ArchiveState): boolean {
  return state === 'DETACHED' || state === 'DROPPED'
}
