import { basename, dirname } from 'node:path'
import { LOG_FOLDER } from '../../../delta/log-path.ts'
import type { LogStore } from '../../../model/lake/log-store.ts'
import { openLake } from '../../run/registry.ts'

/**
 * Opens the log in `folder` as if it were already in `_delta_log` below the table's location: absolute paths in the log
 * then refer to files of this table.
 */
export async function relocatedLog(folder: string, root: string): Promise<LogStore> {
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
