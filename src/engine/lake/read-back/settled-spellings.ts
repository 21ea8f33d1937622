/** What a checkpoint settles for every reader: which spelling of a path is the file. */
import { readingsOf, spelledApart } from '../../../delta/spellings.ts'
import { DeltaTable } from '../../../delta/table.ts'
import { SluiceError } from '../../../shared/errors.ts'
import { parquetRows } from '../../run/registry.ts'
import { underItsName } from './under-its-name.ts'

/**
 * Refuses a checkpoint that would give readers other files than the commits give them.
 * @param folder of a log that has no checkpoint of the version yet
 * @param root URI of the table that the log was exported from
 * @throws SluiceError DIFFERENCES naming the first file, with both readings
 */
export async function refuseSettling(
  folder: string,
  root: string,
  version: number,
  signal: AbortSignal,
): Promise<void> {
  const store = await underItsName(folder, root)
  const table = await DeltaTable.open(store, parquetRows, signal)
  const { segment } = await table.snapshot({ version }, { signal, allowRefused: true })
  const apart = await spelledApart({ store, parquet: parquetRows, segment }, signal)
  const [first] = apart
  if (first === undefined) return
  const files = apart.length === 1 ? 'one file' : `${apart.length} files`
  throw new SluiceError(
    'DIFFERENCES',
    `a checkpoint of version ${version} would change what other readers have of ${files}`,
    {
      where: root,
      reason: readingsOf(first),
      hint: 'export with --checkpoint base, which leaves the newest commits as they are; sluice fsck TABLE names every such file',
    },
  )
}
