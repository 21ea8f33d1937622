/** Makes files of the archive available on this machine: in their folder on a disk, or downloaded from a bucket. */
import { createHash } from 'node:crypto'
import { createWriteStream } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import type { ArchivedFile } from '../../model/archive/archived-file.ts'
import type { ArchiveContext } from './context.ts'
import { makeFolder } from '../../shared/make-folder.ts'

/** @property paths paths of the files on this machine, in `folder` */
export type DownloadedFiles = AsyncDisposable & { readonly folder: string; readonly paths: readonly string[] }

export async function localFiles(
  context: ArchiveContext,
  files: readonly Pick<ArchivedFile, 'path'>[],
): Promise<DownloadedFiles> {
  const { writer, spool, interrupt } = context
  const below = (folder: string): readonly string[] => files.map(({ path }) => join(folder, path))
  if (writer.folder !== null) {
    return { folder: writer.folder, paths: below(writer.folder), async [Symbol.asyncDispose]() {} }
  }
  const folder = await mkdtemp(join(spool, 'fetched-'))
  const dispose = (): Promise<void> => rm(folder, { recursive: true, force: true })
  try {
    for (const { path } of files) {
      const file = join(folder, path)
      await makeFolder(dirname(file))
      const bytes = context.reader.read(path, { signal: interrupt.abort })
      await pipeline(Readable.from(bytes), createWriteStream(file, { mode: 0o600 }), { signal: interrupt.abort })
    }
  } catch (error) {
    await dispose()
    throw error
  }
  return { folder, paths: below(folder), [Symbol.asyncDispose]: dispose }
}

/** Sha256 of the stored bytes, as 64 hexadecimal digits. @param etag reads only with this ETag; null for any */
export async function sha256InPlace(
  { reader, interrupt }: Pick<ArchiveContext, 'reader' | 'interrupt'>,
  path: string,
  etag: string | null = null,
): Promise<string> {
  const hash = createHash('sha256')
  const only = etag === null ? {} : { etag }
  for await (const bytes of reader.read(path, { ...only, signal: interrupt.abort })) hash.update(bytes)
  return hash.digest('hex')
}
