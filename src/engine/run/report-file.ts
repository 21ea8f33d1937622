/** A report that a command writes for its user. */
import { access, constants, stat, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { SluiceError } from '../../shared/errors.ts'

/** Said before anything is done: minutes of work should not end in a wrong path. @throws SluiceError BAD_FLAG */
export async function checkReport(path: string): Promise<void> {
  try {
    const there = await stat(path).catch(() => null)
    if (there?.isDirectory() === true) throw new Error('it is a folder')
    await access(there === null ? dirname(path) : path, constants.W_OK)
  } catch (error) {
    throw new SluiceError('BAD_FLAG', `the report cannot be written to ${path}`, {
      where: path,
      reason: (error as Error).message,
      hint: 'name another file with --report; nothing was done yet',
      cause: error,
    })
  }
}

/** @throws SluiceError BAD_FLAG */
export async function writeReport(path: string, text: string): Promise<void> {
  try {
    await writeFile(path, text)
  } catch (error) {
    throw new SluiceError('BAD_FLAG', `the report cannot be written to ${path}: ${(error as Error).message}`, {
      hint: 'name another file with --report; what it was to tell is done',
      cause: error,
    })
  }
}

/** Whether a report is asked for as JSON, by the end of its name. */
export function isJson(path: string): boolean {
  return /\.json$/i.test(path)
}
