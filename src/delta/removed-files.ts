/** Files of a log that a cleanup removes after the log was listed. */
import type { LogStore } from '../model/lake/log-store.ts'
import { SluiceError } from '../shared/errors.ts'
import { LOG_FOLDER } from './log-path.ts'

/** The file that is gone, if that is why a read of the log failed; else null. */
export function removedFile(error: unknown): string | null {
  if (!(error instanceof SluiceError)) return null
  return error.code === 'SOURCE_GONE' ? (error.where ?? error.message) : removedFile(error.cause)
}

/**
 * Runs `attempt` again after each removal of a file of the log; it has to list the log itself.
 * @param onRemoved called with the file before each further attempt
 * @throws what `attempt` throws; SOURCE_GONE for a file that is gone although the log was listed again: that was no
 * cleanup
 */
export async function againAfterCleanup<T>(
  attempt: (isFirst: boolean) => Promise<T>,
  onRemoved: (file: string) => void = () => undefined,
): Promise<T> {
  const removed = new Set<string>()
  for (;;) {
    try {
      return await attempt(removed.size === 0)
    } catch (error) {
      const file = removedFile(error)
      if (file === null || removed.has(file)) throw error
      removed.add(file)
      onRemoved(file)
    }
  }
}

/**
 * True if a read failed because one of these files of the log was removed after it was listed. False for a file that a
 * listing still names, such as a dangling link, and for the sidecar of a checkpoint that still exists.
 */
export async function areRemoved(
  log: LogStore,
  files: readonly { readonly name: string }[],
  error: unknown,
  signal: AbortSignal,
): Promise<boolean> {
  if (removedFile(error) === null) return false
  const gone = new Set(files.map(({ name }) => name))
  for await (const { name } of log.list(LOG_FOLDER, { attributes: false, signal }))
    gone.delete(name.slice(name.lastIndexOf('/') + 1))
  return gone.size > 0
}
