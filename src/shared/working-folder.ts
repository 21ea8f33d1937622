/** The folder in which a command runs: base of relative paths and URLs in its command line, and of config search. */
import process from 'node:process'
import { shellQuote } from './shell.ts'

/** @returns an absolute path; null if the folder was removed */
export function workingFolder(): string | null {
  try {
    return process.cwd()
  } catch {
    return null
  }
}

/**
 * A command of another run, adapted to this folder.
 * @param line the command as it was typed in `folder`
 * @param folder in which it was typed; null if unknown
 * @param here the folder of the reader
 * @returns `cd FOLDER && LINE`, or the line itself in the same folder
 */
export function fromFolder(line: string, folder: string | null, here: string | null = workingFolder()): string {
  return folder === null || folder === here || line === '' ? line : `cd ${shellQuote(folder)} && ${line}`
}
