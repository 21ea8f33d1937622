import type { ArchivedFile } from '../../model/archiving/archived-file.ts'
import type { Row } from '../../model/copy/rows.ts'
import type { ArchiveContext } from './context.ts'
import { localFiles } from './local-files.ts'

/** Rows of files of an archive, in canonical form. @param atOnce rows of one piece */
export async function* storedRows(
  context: ArchiveContext,
  files: readonly ArchivedFile[],
  atOnce: number,
): AsyncGenerator<readonly Row[]> {
  await using local = await localFiles(context, files)
  const parquet = await context.parquet()
  yield* parquet.rows(
    {
      columns: context.archived.stored.columns,
      files: local.paths.map((path) => `${local.folder}/${path}`),
      signal: context.interrupt.abort,
    },
    atOnce,
  )
}
