/**
 * The book of the runs of this user on this machine: what ran, how it ended, and a curve of each. For showing only: no truth is read from it, and whoever
 * cannot write it goes on without.
 */
import { closeSync, existsSync, openSync, readdirSync, renameSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import type { RunBook } from '../model/run/run-book.ts'
import { makeFolderSync } from '../shared/make-folder.ts'
import { SluiceError } from '../shared/errors.ts'

/** The file of the book. @param folder where this user's programs keep what is theirs */
export function runBookFile(folder: string): string {
  return join(folder, 'runs.db')
}

/** Whether the driver says that the file is damaged, or is no book at all. */
export function isDamaged(thrown: unknown): boolean {
  return /^SQLITE_(?:CORRUPT|NOTADB)/.test((thrown as { readonly code?: string }).code ?? '')
}

/**
 * Puts a damaged book away under another name, where nothing but `damagedBooks` looks for it.
 * @param file the next book is made under this name
 */
export function setAside(file: string): void {
  const aside = `${file}.damaged-${Date.now()}`
  for (const end of ['', '-wal', '-shm']) {
    if (existsSync(file + end)) renameSync(file + end, aside + end)
  }
}

/** Books that were set aside. @returns absolute paths, oldest first */
export function damagedBooks(file: string): readonly string[] {
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

/** What hinders reading a book, as an error. */
export function unreadBook(file: string, cause: unknown): SluiceError {
  const reason = cause instanceof Error ? cause.message : String(cause)
  if (isDamaged(cause)) {
    return new SluiceError('TARGET_CORRUPT', 'the book of runs is damaged', {
      where: file,
      reason,
      hint: 'the next run sets it aside and begins a new one; runs that go on are listed by sluice ctl',
      cause,
    })
  }
  return new SluiceError('TARGET_IO', 'the book of runs cannot be read', {
    where: file,
    reason,
    hint: 'look at the file and its folder; runs that go on are listed by sluice ctl',
    cause,
  })
}

/**
 * @param file need not be there yet; it and its folder are this user's alone
 * @throws the file system's error, or the driver's, where it cannot be had
 */
export async function openRunBook(file: string): Promise<RunBook> {
  makeFolderSync(dirname(file), 0o700)
  // Whatever stands beside it gets its mode.
  closeSync(openSync(file, 'a', 0o600))
  const { sqliteRunBook } = await import('./sqlite/run-book.ts')
  return sqliteRunBook(file)
}
