/** Compares the sizes of an archive's files with the recorded sizes, without reading the files. */
import type { ArchivedFile } from '../../model/archive/archived-file.ts'
import type { ArchiveContext } from './context.ts'

/** `other`: some files are missing, or have another size. `gone`: no file exists. */
export type FilesState = 'there' | 'other' | 'gone'

/** @throws SluiceError errors of a bucket that cannot be read */
export async function filesState(
  { reader, interrupt }: Pick<ArchiveContext, 'reader' | 'interrupt'>,
  files: readonly Pick<ArchivedFile, 'path' | 'bytes'>[],
): Promise<FilesState> {
  let [same, missing] = [0, 0]
  for (const { path, bytes } of files) {
    const head = await reader.head(path, interrupt.abort)
    if (head === null) missing++
    else if (BigInt(head.size) === bytes) same++
  }
  if (same === files.length) return 'there'
  return missing === files.length ? 'gone' : 'other'
}
