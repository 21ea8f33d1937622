import type { RowTest } from '../../model/archive/row-test.ts'
import type { StoredColumn } from '../../model/archive/stored-column.ts'
import type { Row } from '../../model/copy/rows.ts'
import type { ArchivedPartition } from '../ledger/record.ts'
import type { ArchiveContext } from './context.ts'
import { localFiles } from './local-files.ts'

/**
 * Rows of the files of a partition, in canonical form.
 * @param columns columns to read, as the files have them
 * @param atOnce rows per batch
 * @param test selects rows, by the column names of the files; default: all rows
 */
export async function* storedRows(
  context: ArchiveContext,
  { files, columns: all }: Pick<ArchivedPartition, 'files' | 'columns'>,
  columns: readonly StoredColumn[],
  atOnce: number,
  test?: RowTest,
): AsyncGenerator<readonly Row[]> {
  await using local = await localFiles(context, files)
  const parquet = await context.parquet()
  yield* parquet.rows(
    {
      columns,
      all,
      files: local.paths,
      signal: context.interrupt.abort,
      ...(test === undefined ? {} : { test }),
    },
    atOnce,
  )
}
