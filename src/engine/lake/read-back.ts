/** Reads an exported log with the program's own reader while it still lies beside its place: what this reader refuses is never published. */
import { basename, dirname } from 'node:path'
import type { ReadableTable } from '../../catalog/catalog.ts'
import { countsAt } from '../../catalog/query/counts.ts'
import { LOG_FOLDER } from '../../delta/log-path.ts'
import { DeltaTable } from '../../delta/table.ts'
import type { LogStore } from '../../model/log-store.ts'
import { SluiceError } from '../../shared/errors.ts'
import type { SqlReader } from '../../stores/port.ts'
import { openLake, parquetRows } from '../registry.ts'

/**
 * Builds the first and the latest version of the table from the files alone and compares files and bytes with the catalog's totals.
 * @param folder the finished files; their names are those of a `_delta_log`
 * @throws SluiceError TARGET_CORRUPT when the reader refuses the log, or reads another table than the catalog holds
 */
export async function readBack(
  folder: string,
  reader: SqlReader,
  table: ReadableTable,
  signal: AbortSignal,
): Promise<void> {
  const { tableId, historyFrom, latest, location } = table
  const log = await underItsName(folder, location)
  try {
    const back = await DeltaTable.open(log, parquetRows, signal)
    const run = await back.run(signal)
    if (back.latest !== latest || run.from > historyFrom) {
      throw new Error(
        `it holds versions ${run.from} to ${back.latest} without a gap, and not ${historyFrom} to ${latest}`,
      )
    }
    for (const version of new Set([historyFrom, latest])) {
      const snapshot = await back.snapshot({ version }, { allowRefused: true, signal })
      const [read, held] = [await snapshot.counts(signal), await countsAt(reader, tableId, version)]
      if (read.files !== held.files || read.bytes !== BigInt(held.bytes)) {
        throw new Error(
          `version ${version} has ${read.files} files and ${read.bytes} bytes, and the catalog has counted ${held.files} and ${held.bytes}`,
        )
      }
    }
  } catch (error) {
    if (signal.aborted || (error instanceof SluiceError && error.kind === 'stopped')) throw error
    throw new SluiceError('TARGET_CORRUPT', 'the log that the catalog gives cannot be read as this table', {
      where: location,
      reason: error instanceof Error ? error.message : String(error),
      hint: 'sluice validate TABLE says what is wrong with the catalog; nothing was written',
      cause: error,
    })
  }
}

/** The files as if they lay in `_delta_log` already, below the table's own location: absolute paths in the log mean files of that table. */
async function underItsName(folder: string, root: string): Promise<LogStore> {
  const log = await openLake(dirname(folder))
  const name = basename(folder)
  const real = (path: string): string =>
    path === LOG_FOLDER || path.startsWith(`${LOG_FOLDER}/`) ? name + path.slice(LOG_FOLDER.length) : path
  return {
    root,
    label: log.label,
    list: (path, options) => log.list(real(path), options),
    read: (path, options) => log.read(real(path), options),
    head: (path, signal) => log.head(real(path), signal),
    localFile: (path, signal) => log.localFile(real(path), signal),
  }
}
