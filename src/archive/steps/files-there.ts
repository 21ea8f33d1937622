/** Compares files of an archive with their sizes, without reading them. */
import type { ArchivedFile } from '../../model/archive/archived-file.ts'
import type { ArchiveContext } from './context.ts'

/** True if all of them exist and have their sizes. @throws SluiceError of a bucket that cannot be read */
export async function areFilesThere(
  { reader, interrupt }: Pick<ArchiveContext, 'reader' | 'interrupt'>,
  files: readonly Pick<ArchivedFile, 'path' | 'bytes'>[],
): Promise<boolean> {
  for (const { path, bytes } of files) {
    const head = await reader.head(path, interrupt.abort)
    if (head === null || BigInt(head.size) !== bytes) return false
  }
  return true
}
