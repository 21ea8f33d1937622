/**
 * Finds objects that VACUUM deletes: old, outside hidden folders, and not needed by the newest version or by a version
 * within the retention.
 */
import { MARKS, type Listed, type ListedFiles } from './listed-files.ts'

const NEVER_HIDDEN = ['_change_data', '_delta_index']

/**
 * True if VACUUM skips an object: a part of its path starts with `.` or `_`, and is neither a partition nor
 * `_change_data` nor `_delta_index` (Delta, `DeltaTableUtils.isHiddenDirectory`).
 * @param partitionColumns physical names
 */
export function isHidden(path: string, partitionColumns: readonly string[]): boolean {
  return path.split('/').some((part) => {
    if (!part.startsWith('.') && !part.startsWith('_')) return false
    if (NEVER_HIDDEN.some((name) => part.startsWith(name))) return false
    return !partitionColumns.some((column) => part.startsWith(`${column}=`))
  })
}

export type VacuumFacts = { readonly files: number; readonly bytes: bigint }

export type Leftovers = {
  /** Objects that are old enough, and that no version within the retention needs. */
  readonly free: VacuumFacts
  /** Objects of `free` that older versions of the log still refer to. */
  readonly expired: VacuumFacts
}

/**
 * @param needed marks of the objects that VACUUM keeps
 * @param deleteBefore ms since the epoch; younger objects are kept
 * @param orphan called with each object that no version refers to, and whether it is old enough
 */
export function leftovers(
  listed: ListedFiles,
  needed: number,
  partitionColumns: readonly string[],
  deleteBefore: number,
  orphan: (file: Listed, isOld: boolean) => void,
): Leftovers {
  const free = { files: 0, bytes: 0n }
  const expired = { files: 0, bytes: 0n }
  for (const file of listed.all()) {
    if ((file.marks & needed) !== 0 || isHidden(file.path, partitionColumns)) continue
    const isOld = file.modified < deleteBefore
    const isExpired = (file.marks & (MARKS.active | MARKS.expired)) !== 0
    if (!isExpired) orphan(file, isOld)
    if (!isOld) continue
    free.files++
    free.bytes += BigInt(file.size)
    if (!isExpired) continue
    expired.files++
    expired.bytes += BigInt(file.size)
  }
  return { free, expired }
}
