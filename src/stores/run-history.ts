/**
 * Run history of this user on this machine: what ran, how it ended, and the progress of each run over time. For
 * display only: no decision depends on it, and a program that cannot write it continues. The same folder contains
 * the file of active alerts.
 */
import { closeSync, existsSync, openSync, readdirSync, renameSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import type { AlertMemory } from '../model/run/alert-memory.ts'
import type { RunHistory } from '../model/run/run-history.ts'
import { makeFolderSync } from '../shared/make-folder.ts'
import { SluiceError } from '../shared/errors.ts'

/** File of the run history. @param folder for files of this user's programs */
export function runHistoryFile(folder: string): string {
  return join(folder, 'runs.db')
}

/** File in which this user's programs on this machine record active alerts. @param folder of the run history */
export function alertMemoryFile(folder: string): string {
  return join(folder, 'alerts.db')
}

/** True if the driver reports that the file is damaged, or is not a database. */
export function isDamaged(thrown: unknown): boolean {
  return /^SQLITE_(?:CORRUPT|NOTADB)/.test((thrown as { readonly code?: string }).code ?? '')
}

/**
 * Renames a damaged file of run history or alerts, with its WAL files; see `damagedFiles`.
 * @param file its path; the next file gets the same path
 */
export function renameDamagedFile(file: string): void {
  const damagedFile = `${file}.damaged-${Date.now()}`
  for (const end of ['', '-wal', '-shm']) {
    if (existsSync(file + end)) renameSync(file + end, damagedFile + end)
  }
}

/** Files that `renameDamagedFile` has renamed. @returns absolute paths, oldest first */
export function damagedFiles(file: string): readonly string[] {
  const folder = dirname(file)
  const start = `${basename(file)}.damaged-`
  try {
    return readdirSync(folder)
      .filter((name) => name.startsWith(start) && /^\d+$/.test(name.slice(start.length)))
      .toSorted()
      .map((name) => join(folder, name))
  } catch {
    return []
  }
}

/** Error that explains why the run history cannot be read. */
export function unreadableHistory(file: string, cause: unknown): SluiceError {
  const reason = cause instanceof Error ? cause.message : String(cause)
  if (isDamaged(cause)) {
    return new SluiceError('TARGET_CORRUPT', 'the run history is damaged', {
      where: file,
      reason,
      hint: 'to list the active runs, use sluice ctl; the next run renames the damaged file and starts a new history',
      cause,
    })
  }
  return new SluiceError('TARGET_IO', 'the run history cannot be read', {
    where: file,
    reason,
    hint: 'check the file and its folder; sluice ctl lists the active runs',
    cause,
  })
}

/**
 * @param file is created if missing; the file and its folder are accessible to this user only
 * @throws the file system's error, or the driver's, if it cannot be opened
 */
export async function openRunHistory(file: string): Promise<RunHistory> {
  makeOwnFile(file)
  const { sqliteRunHistory } = await import('./sqlite/run-history.ts')
  return sqliteRunHistory(file)
}

/** @throws as `openRunHistory` */
export async function openAlertMemory(file: string): Promise<AlertMemory> {
  makeOwnFile(file)
  const { sqliteAlertMemory } = await import('./sqlite/alert-memory.ts')
  return sqliteAlertMemory(file)
}

function makeOwnFile(file: string): void {
  makeFolderSync(dirname(file), 0o700)
  // SQLite gives its companion files the mode of this one.
  closeSync(openSync(file, 'a', 0o600))
}
