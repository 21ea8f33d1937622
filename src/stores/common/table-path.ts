/** Checks paths below the root of a table before anything is written to them. */
import { SluiceError } from '../../shared/errors.ts'

/** Returns the path if it is below the root in any kind of store. @throws SluiceError PATH_ESCAPES */
export function tablePath(path: string, label: string): string {
  const parts = path.split('/')
  if (parts.every((part) => part !== '' && part !== '.' && part !== '..') && !path.includes('\0')) return path
  throw new SluiceError('PATH_ESCAPES', `'${path}' is outside of the table`, { where: label, kind: 'target' })
}
