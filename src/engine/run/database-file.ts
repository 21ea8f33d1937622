/** Databases that are local files. */
import { dirname } from 'node:path'
import { SluiceError } from '../../shared/errors.ts'
import { isFolderPath } from '../../shared/folder.ts'

/**
 * Refuses a folder in place of a database file: drivers report it as an I/O error or an unknown one, which suggests a
 * disk fault.
 * @param label URL of the database, without its password
 * @throws SluiceError BAD_CONFIG if the path is a folder
 */
export function refuseFolder(file: string, label: string): void {
  if (!isFolderPath(file)) return
  throw new SluiceError('BAD_CONFIG', 'the database URL names a folder, not a file', {
    where: label,
    hint: 'add the name of a file to it, such as catalog.db',
  })
}

/** True if opening the file for writing cannot create it, because its folder does not exist. */
export function lacksFolder(file: string): boolean {
  return !isFolderPath(dirname(file))
}
