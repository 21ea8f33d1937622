/** A file that is there whole or not at all, and replaces nothing that it was not told to. */
import { randomUUID } from 'node:crypto'
import { link, rename, rm, stat, writeFile } from 'node:fs/promises'
import { SluiceError } from '../../shared/errors.ts'
import { checkReport } from './report-file.ts'

/** Said before anything is done. @throws SluiceError BAD_FLAG for a file that is there, or cannot be written */
export async function checkNewFile(path: string, overwrite: boolean): Promise<void> {
  if (!overwrite && (await stat(path).catch(() => null)) !== null) throw isThere(path)
  await checkReport(path)
}

/** @throws SluiceError BAD_FLAG */
export async function writeWhole(path: string, text: string, overwrite: boolean): Promise<void> {
  const aside = `${path}.${randomUUID()}.part`
  try {
    await writeFile(aside, text, { flag: 'wx' })
    // A link fails where the name has been taken meanwhile; a rename would replace it.
    if (overwrite) await rename(aside, path)
    else await link(aside, path)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') throw isThere(path)
    throw new SluiceError('BAD_FLAG', `the report cannot be written to ${path}: ${(error as Error).message}`, {
      hint: 'name another file with --write',
      cause: error,
    })
  } finally {
    await rm(aside, { force: true })
  }
}

function isThere(path: string): SluiceError {
  return new SluiceError('BAD_FLAG', `${path} is there already`, {
    where: path,
    hint: 'name another file with --write, or replace it with --overwrite',
  })
}
