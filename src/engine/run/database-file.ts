/** Databases that are files of this machine. */
import { SluiceError } from '../../shared/errors.ts'
import { looksLikeFolder } from '../../shared/folder.ts'

/**
 * What drivers call an I/O error, or nothing that is known, and that sends people to look at the disk.
 * @param label URL of the database, without its password
 * @throws SluiceError BAD_CONFIG where a folder stands in its place
 */
export function refuseFolder(file: string, label: string): void {
  if (!looksLikeFolder(file)) return
  throw new SluiceError('BAD_CONFIG', 'the database URL names a folder, not a file', {
    where: label,
    hint: 'add the name of a file to it, such as catalog.db',
  })
}
