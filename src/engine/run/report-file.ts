/** A report that a command writes for its user. */
import { randomUUID } from 'node:crypto'
import { access, constants, link, rename, rm, stat, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { RunReportEvent } from '../../model/run/report/formats.ts'
import { SluiceError } from '../../shared/errors.ts'
import type { Ending } from './run-context.ts'

/** Path that means standard output. */
const PRINTED = '-'

/**
 * Checks that a report can be written. Call before the work, so that a wrong path does not waste minutes. @throws
 * SluiceError BAD_FLAG
 */
export async function checkReport(path: string): Promise<void> {
  if (path === PRINTED) return
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

/**
 * Writes a report, if the user wants one.
 * @param path undefined: no report; `-` prints the report
 * @param text returns the report in the format of the path
 * @returns the written file, for the result of the run
 * @throws SluiceError BAD_FLAG
 */
export async function writeReport(
  path: string | undefined,
  text: (path: string) => string,
  emit: (event: RunReportEvent) => void,
): Promise<Pick<Ending, 'wrote'>> {
  if (path === undefined) return {}
  const report = text(path)
  if (path === PRINTED) {
    emit({ type: 'run.report', format: 'markdown', text: report })
    return {}
  }
  try {
    await writeFile(path, report)
    return { wrote: [path] }
  } catch (error) {
    throw new SluiceError('BAD_FLAG', `the report cannot be written to ${path}: ${(error as Error).message}`, {
      hint: 'the run itself is complete, only its report is missing: name another file with --report',
      cause: error,
    })
  }
}

/** True if a report must be JSON: the name ends with `.json`. */
export function isJson(path: string): boolean {
  return /\.json$/i.test(path)
}

/**
 * Checks that the report's file can be written, and that it exists only with `overwrite`. Call before the work.
 * @throws SluiceError BAD_FLAG if the file exists or cannot be written
 */
export async function checkNewFile(path: string, overwrite: boolean): Promise<void> {
  if (!overwrite && (await stat(path).catch(() => null)) !== null) throw isThere(path)
  await checkReport(path)
}

/**
 * Writes the file in one step: no other program reads a part of it.
 * @throws SluiceError BAD_FLAG if the file cannot be written, or exists and `overwrite` is false
 */
export async function writeWhole(path: string, text: string, overwrite: boolean): Promise<void> {
  const temporaryFile = `${path}.${randomUUID()}.part`
  try {
    await writeFile(temporaryFile, text, { flag: 'wx' })
    // link fails if the name has been taken meanwhile; rename would replace the file.
    if (overwrite) await rename(temporaryFile, path)
    else await link(temporaryFile, path)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') throw isThere(path)
    throw new SluiceError('BAD_FLAG', `the report cannot be written to ${path}: ${(error as Error).message}`, {
      hint: 'name another file with --write',
      cause: error,
    })
  } finally {
    await rm(temporaryFile, { force: true })
  }
}

function isThere(path: string): SluiceError {
  return new SluiceError('BAD_FLAG', `${path} already exists`, {
    where: path,
    hint: 'name another file with --write, or replace it with --overwrite',
  })
}
