/**
 * The folder that a command works in: relative paths and URLs of its line mean it, and so does the config file that it
 * finds.
 */
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
 * A command of another run as it works from here.
 * @param line as it was typed there
 * @param folder that it was typed in; null if unknown
 * @param here the folder of the reader
 * @returns `cd FOLDER && LINE`, or the line itself in the same folder
 */
export function fromFolder(line: string, folder: string | null, here: string | null = workingFolder()): string {
  return folder === null || folder === here || line === '' ? line : `cd ${shellQuote(folder)} && ${line}`
}
