/**
 * Saves a result as one file: writes it under a temporary name in the same folder, counts its rows, then renames it.
 * An existing file is overwritten only on request.
 */
import { createReadStream } from 'node:fs'
import { link, open, readdir, rename, rm, stat, writeFile } from 'node:fs/promises'
import { basename, dirname, join, resolve } from 'node:path'
import { randomBytes } from 'node:crypto'
import { homedir } from 'node:os'
import { throwIfAborted } from '../../shared/abort.ts'
import { SluiceError } from '../../shared/errors.ts'
import { syncPath } from '../../shared/sync-path.ts'
import { writeAnswer } from '../../stores/parquet.ts'
import type { AskCell, Saved, SaveFormat, SaveOptions } from './port.ts'
import type { RowSpool } from './row-spool.ts'
import { renamedColumns, uniqueNames } from '../../shared/unique-names.ts'

const CHUNK_CHARS = 1 << 18
const QUOTE = 0x22
const LF = 0x0a

type Rows = { readonly columns: readonly string[]; readonly spool: RowSpool }

/** Limit of completions. */
const MOST_PATHS = 50

/** The absolute path of user input. */
export function pathOf(typed: string): string {
  return resolve(typed.replace(/^~(?=\/|$)/, homedir()))
}

/** @returns the absolute path; null if it exists and must not be overwritten. @throws SluiceError BAD_FLAG, NO_SPACE */
export async function saveText(typed: string, text: string, overwrite: boolean): Promise<string | null> {
  const { path, isFree } = await placeOf(typed, overwrite)
  if (!isFree) return null
  const temporaryFile = temporaryPath(path)
  try {
    await writeFile(temporaryFile, text, { flag: 'wx' })
    await syncPath(temporaryFile)
    return (await moveFile(temporaryFile, path, overwrite)) ? path : null
  } catch (error) {
    throw failure(error, path, temporaryFile)
  } finally {
    await rm(temporaryFile, { force: true }).catch(() => undefined)
  }
}

async function placeOf(
  typed: string,
  overwrite: boolean,
): Promise<{ readonly path: string; readonly isFree: boolean }> {
  if (typed.trim() === '') throw new SluiceError('BAD_FLAG', 'no file is named', { hint: 'type a path' })
  const path = pathOf(typed)
  const there = await stat(path).catch(() => null)
  if (there?.isDirectory() === true)
    throw new SluiceError('BAD_FLAG', 'the path is a folder', { where: path, hint: 'add the name of a file' })
  return { path, isFree: there === null || overwrite }
}

function temporaryPath(path: string): string {
  return join(dirname(path), `.${basename(path)}.${randomBytes(4).toString('hex')}.part`)
}

/** @throws SluiceError BAD_FLAG for an invalid path; NO_SPACE, TARGET_IO; INTERNAL if the file lacks rows */
export async function saveRows(rows: Rows, options: SaveOptions, signal: AbortSignal): Promise<Saved> {
  const { path, isFree } = await placeOf(options.path, options.overwrite)
  if (!isFree) return { kind: 'exists' }
  const temporaryFile = temporaryPath(path)
  try {
    await (await open(temporaryFile, 'wx', 0o644)).close()
    const counted = await writeRows(rows, options.format, temporaryFile, signal)
    if (counted !== rows.spool.rows) {
      throw new SluiceError('INTERNAL', `the saved file has ${counted} rows, but the answer has ${rows.spool.rows}`, {
        where: path,
      })
    }
    await syncPath(temporaryFile)
    const { size } = await stat(temporaryFile)
    if (!(await moveFile(temporaryFile, path, options.overwrite))) return { kind: 'exists' }
    return {
      kind: 'saved',
      rows: counted,
      bytes: size,
      asText: options.format === 'parquet' ? reportedAsText(rows) : [],
      renamed: options.format === 'csv' ? [] : renamedColumns(rows.columns),
    }
  } catch (error) {
    throw failure(error, path, temporaryFile)
  } finally {
    await rm(temporaryFile, { force: true }).catch(() => undefined)
  }
}

function reportedAsText({ columns, spool }: Rows): readonly string[] {
  return columns.filter((_, i) => spool.facts[i]?.reportedAsText === true)
}

/** @returns rows counted in the file */
async function writeRows(rows: Rows, format: SaveFormat, path: string, signal: AbortSignal): Promise<number> {
  if (format === 'parquet') {
    const columns = uniqueNames(rows.columns).map((name, i) => ({ name, type: rows.spool.facts[i]?.type ?? 'text' }))
    refuseMixedBytes(rows)
    if (columns.length === 0) throw new SluiceError('BAD_FLAG', 'an answer without columns cannot be saved as Parquet')
    return await writeAnswer({ path, columns, csv: encodedRows(rows.spool), signal })
  }
  const file = await open(path, 'r+')
  try {
    for await (const text of format === 'csv' ? csv(rows) : jsonLines(rows)) {
      throwIfAborted(signal)
      await file.writeFile(text)
    }
  } finally {
    await file.close()
  }
  const lines = await records(path, format === 'csv')
  return format === 'csv' ? lines - 1 : lines
}

/** @throws SluiceError LOSSY_TYPE for a column whose bytes could not be distinguished from its texts */
function refuseMixedBytes({ columns, spool }: Rows): void {
  const names = columns.filter((_, i) => spool.facts[i]?.hasMixedBytes === true)
  if (names.length === 0) return
  const [first = ''] = names
  throw new SluiceError(
    'LOSSY_TYPE',
    `Parquet has no type for columns with both bytes and other values: ${names.join(', ')}`,
    {
      hint: `convert each of them to one type in the query, such as hex(${first}) or CAST(${first} AS BLOB); or save as .csv or .jsonl, which write bytes as \\x and hexadecimal digits`,
    },
  )
}

/** NULL is an empty field, an empty text a pair of quotes. */
function* csvCells(row: readonly (AskCell | string)[]): Generator<string> {
  for (const cell of row) {
    const text = cell === null ? null : typeof cell === 'string' ? cell : cell.text
    if (text === null) yield ''
    else yield text === '' || /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text
  }
}

async function* csv({ columns, spool }: Rows): AsyncGenerator<string> {
  // A row whose only column is NULL is written as an empty line, which many readers skip.
  const line = (cells: Iterable<string>): string => `${[...cells].join(',')}\r\n`
  yield* chunks(line(csvCells(columns)), spool, (row) => line(csvCells(row)))
}

/** Integers that JSON readers may round, infinite numbers, NaN and bytes are written as strings. */
async function* jsonLines({ columns, spool }: Rows): AsyncGenerator<string> {
  const keys = uniqueNames(columns).map((name) => JSON.stringify(name))
  yield* chunks('', spool, (row) => `{${row.map((cell, i) => `${keys[i] ?? '""'}:${jsonOf(cell)}`).join(',')}}\n`)
}

function jsonOf(cell: AskCell): string {
  if (cell === null) return 'null'
  if (cell.kind === 'integer') return Number.isSafeInteger(Number(cell.text)) ? cell.text : JSON.stringify(cell.text)
  if (cell.kind === 'real') return Number.isFinite(Number(cell.text)) ? cell.text : JSON.stringify(cell.text)
  return JSON.stringify(cell.text)
}

async function* encodedRows(spool: RowSpool): AsyncGenerator<Buffer> {
  const line = (row: readonly AskCell[]): string => {
    const cells = row.map((cell) =>
      cell === null ? '' : `"${(cell.kind === 'bytes' ? cell.text.slice(2) : cell.text).replaceAll('"', '""')}"`,
    )
    return `${cells.join(',')},"1"\n`
  }
  for await (const text of chunks('', spool, line)) yield Buffer.from(text)
}

async function* chunks(
  first: string,
  spool: RowSpool,
  line: (row: readonly AskCell[]) => string,
): AsyncGenerator<string> {
  let text = first
  for await (const row of spool.all()) {
    text += line(row)
    if (text.length < CHUNK_CHARS) continue
    yield text
    text = ''
  }
  if (text !== '') yield text
}

/** Counts the line feeds of a file, except line feeds inside quotes. */
async function records(path: string, quotes: boolean): Promise<number> {
  let lines = 0
  let inside = false
  for await (const bytes of createReadStream(path) as AsyncIterable<Buffer>) {
    for (const byte of bytes) {
      if (byte === QUOTE && quotes) inside = !inside
      else if (byte === LF && !inside) lines++
    }
  }
  return lines
}

/** @returns false if another program created the file meanwhile */
async function moveFile(from: string, to: string, overwrite: boolean): Promise<boolean> {
  if (!overwrite) {
    try {
      // Unlike a rename, a link never replaces an existing file.
      await link(from, to)
      return true
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException
      if (code === 'EEXIST') return false
      // Some file systems have no hard links.
      if ((await stat(to).catch(() => null)) !== null) return false
    }
  }
  await rename(from, to)
  return true
}

/** @param temporaryFile temporary name, which must not appear in the message */
function failure(error: unknown, path: string, temporaryFile: string): unknown {
  if (error instanceof SluiceError) return named(error, path, temporaryFile)
  const { code, message } = error as NodeJS.ErrnoException
  if (code === 'ENOSPC') {
    return new SluiceError('NO_SPACE', 'the disk is full: nothing was saved', {
      where: path,
      hint: 'free space on this disk, or save to another one',
      cause: error,
    })
  }
  if (code === undefined) return error
  const why = REASONS[code]?.(dirname(path)) ?? message.replaceAll(temporaryFile, path)
  return new SluiceError('BAD_FLAG', `${path} cannot be written: ${why}`, {
    where: path,
    hint: 'name another file',
    cause: error,
  })
}

const REASONS: Readonly<Record<string, (folder: string) => string>> = {
  ENOENT: (folder) => `there is no folder ${folder}`,
  ENOTDIR: (folder) => `${folder} is not a folder`,
  EACCES: (folder) => `this user may not write into ${folder}`,
  EROFS: (folder) => `${folder} is on a read-only file system`,
}

function named(error: SluiceError, path: string, temporaryFile: string): SluiceError {
  const { code, message, where, reason, hint } = error
  const of = (text: string): string =>
    text.replaceAll(temporaryFile, path).replaceAll(basename(temporaryFile), basename(path))
  if (![message, where, reason].some((text) => text?.includes(basename(temporaryFile)))) return error
  return new SluiceError(code, of(message), {
    where: path,
    ...(reason === undefined ? {} : { reason: of(reason) }),
    ...(hint === undefined ? {} : { hint }),
    cause: error,
  })
}

/** @returns completions of a path that is being typed; folders end with '/'. Empty if the folder cannot be read. */
export async function pathsThatBegin(begin: string): Promise<readonly string[]> {
  const slash = begin.lastIndexOf('/')
  const folder = begin.slice(0, slash + 1)
  const name = begin.slice(slash + 1)
  const entries = await readdir(pathOf(folder === '' ? '.' : folder), { withFileTypes: true }).catch(() => [])
  return entries
    .filter((entry) => entry.name.startsWith(name) && (name.startsWith('.') || !entry.name.startsWith('.')))
    .map((entry) => (entry.isDirectory() ? `${entry.name}/` : entry.name))
    .toSorted()
    .slice(0, MOST_PATHS)
    .map((found) => folder + found)
}
