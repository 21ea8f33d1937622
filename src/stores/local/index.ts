/** A Delta log in a local folder; maps its file system errors to SluiceErrors. */
import { closeSync, fstatSync, openSync, readSync, realpathSync, statSync, type Dirent, type Stats } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { basename, dirname, isAbsolute, join, relative, resolve, sep } from 'node:path'
import { pathToFileURL } from 'node:url'
import { sourceGone } from '../../model/lake/missing-file.ts'
import type { FileEntry, LogListingEntry, LogObject, LogStore } from '../../model/lake/log-store.ts'
import { SluiceError } from '../../shared/errors.ts'
import { permissionDenied } from '../../shared/guide-errors.ts'
import { throwIfAborted } from '../../shared/abort.ts'
import { fileErrorCode } from '../../shared/durable-files.ts'

/** Up to this many bytes are read by one synchronous call: several times faster for small commits. */
const WHOLE = 1 << 20
const CHUNK = 1 << 21

/**
 * Memory for small reads. A separate buffer for each of 100,000 small commits would keep the garbage collector busier
 * than the parsing; parts of one larger block cost nothing, and the block is freed with the last of them.
 */
const SLAB_BYTES = 1 << 20
/** Larger reads get a buffer of their own, so that they do not waste most of a slab. */
const SMALL_BYTES = 1 << 16
let slab: Buffer | null = null
let slabUsed = 0

/** Errors for a file that does not exist, or that cannot exist because its name contains NUL or is too long. */
const ABSENT: ReadonlySet<string> = new Set(['ENOENT', 'ENOTDIR', 'ENAMETOOLONG', 'ERR_INVALID_ARG_VALUE'])

/** A file system error as a SluiceError: SOURCE_GONE, SOURCE_DENIED or SOURCE_IO. */
export function localSourceError(error: unknown, where: string): SluiceError {
  if (error instanceof SluiceError) return error
  const code = fileErrorCode(error)
  if (ABSENT.has(code)) return sourceGone('file', where, { cause: error })
  if (code === 'EACCES' || code === 'EPERM') {
    return new SluiceError(...permissionDenied('SOURCE_DENIED', { where, cause: error }))
  }
  const text = error instanceof Error ? error.message : String(error)
  return new SluiceError('SOURCE_IO', `the file cannot be read: ${text}`, {
    where,
    retryable: code !== 'EISDIR',
    cause: error,
  })
}

/** Byte order of UTF-8, which is the order of code points; JavaScript's own order differs above U+FFFF. */
function byteOrder(a: string, b: string): number {
  if (a === b) return 0
  return Buffer.compare(Buffer.from(a), Buffer.from(b))
}

function sortByBytes(entries: Dirent[]): Dirent[] {
  const plain = entries.every((entry) => !/[\ud800-\udfff]/.test(entry.name))
  return entries.toSorted((a, b) => (plain ? (a.name < b.name ? -1 : 1) : byteOrder(a.name, b.name)))
}

function statOrNull(file: string): Stats | null {
  try {
    return statSync(file, { throwIfNoEntry: false }) ?? null
  } catch (error) {
    const code = fileErrorCode(error)
    if (ABSENT.has(code) || code === 'ELOOP') return null
    throw localSourceError(error, file)
  }
}

/**
 * Real path of a folder that may be missing: links are resolved in the part that exists; the missing part is kept.
 * @throws as `localSourceError`
 */
export function realFolder(path: string): string {
  const absolute = resolve(path)
  try {
    return realpathSync.native(absolute)
  } catch (error) {
    const code = fileErrorCode(error)
    const parent = dirname(absolute)
    if ((code === 'ENOENT' || code === 'ENOTDIR') && parent !== absolute)
      return join(realFolder(parent), basename(absolute))
    throw localSourceError(error, path)
  }
}

/** An uninitialised buffer of `bytes`, for the caller to fill. */
function readBuffer(bytes: number): Buffer {
  if (bytes > SMALL_BYTES) return Buffer.allocUnsafeSlow(bytes)
  if (slab === null || slabUsed + bytes > SLAB_BYTES) {
    slab = Buffer.allocUnsafeSlow(SLAB_BYTES)
    slabUsed = 0
  }
  const part = slab.subarray(slabUsed, slabUsed + bytes)
  slabUsed += bytes
  return part
}

class LocalLog implements LogStore {
  readonly root: string
  readonly label: string
  readonly #folder: string

  constructor(path: string) {
    this.#folder = realFolder(path)
    this.root = pathToFileURL(this.#folder).href.replace(/\/+$/, '')
    this.label = path
  }

  #absolute(path: string): string {
    const file = join(this.#folder, path)
    const below = relative(this.#folder, file)
    if (below === '..' || below.startsWith(`..${sep}`) || isAbsolute(below)) {
      throw new SluiceError('PATH_ESCAPES', `'${path}' is outside of the table`, { where: this.label })
    }
    return file
  }

  async *list(
    folder: string,
    options: { readonly after?: string; readonly attributes: boolean; readonly signal: AbortSignal },
  ): AsyncIterable<LogListingEntry> {
    const { after, attributes, signal } = options
    throwIfAborted(signal)
    const path = this.#absolute(folder)
    let entries: Dirent[]
    try {
      entries = await readdir(path, { withFileTypes: true })
    } catch (error) {
      if (ABSENT.has(fileErrorCode(error))) return
      throw localSourceError(error, path)
    }
    for (const entry of sortByBytes(entries)) {
      if (after !== undefined && byteOrder(entry.name, after) <= 0) continue
      if (entry.isDirectory()) continue
      if (!attributes && entry.isFile()) {
        yield { name: entry.name }
        continue
      }
      const stats = statOrNull(join(path, entry.name))
      // Skip a file that was removed after the folder was read, a broken link, and a link to a folder.
      if (stats === null || !stats.isFile()) continue
      yield attributes
        ? {
            name: entry.name,
            size: stats.size,
            modified: Math.floor(stats.mtimeMs),
            stamp: `${stats.ino} ${stats.ctimeMs}`,
          }
        : { name: entry.name }
    }
  }

  async *listFiles(
    enter: (folder: string) => boolean,
    signal: AbortSignal,
    denied?: (folder: string, error: SluiceError) => void,
  ): AsyncIterable<FileEntry> {
    const folders = ['']
    for (let folder = folders.pop(); folder !== undefined; folder = folders.pop()) {
      throwIfAborted(signal)
      const path = join(this.#folder, folder)
      let entries: Dirent[]
      try {
        entries = await readdir(path, { withFileTypes: true })
      } catch (error) {
        if (ABSENT.has(fileErrorCode(error))) continue
        const failure = localSourceError(error, path)
        if (folder === '' || failure.code !== 'SOURCE_DENIED' || denied === undefined) throw failure
        denied(folder, failure)
        continue
      }
      for (const entry of entries) {
        const name = folder === '' ? entry.name : `${folder}/${entry.name}`
        if (entry.isDirectory()) {
          if (folder !== '' || enter(name)) folders.push(name)
          continue
        }
        const stats = statOrNull(join(path, entry.name))
        if (stats?.isFile() === true) yield { name, size: stats.size, modified: Math.floor(stats.mtimeMs) }
      }
    }
  }

  async *read(
    path: string,
    options: { readonly start?: number; readonly end?: number; readonly signal: AbortSignal },
  ): AsyncIterable<Buffer> {
    const { signal } = options
    throwIfAborted(signal)
    const file = this.#absolute(path)
    let fd: number | null = null
    try {
      fd = openSync(file, 'r')
      const size = fstatSync(fd).size
      const end = Math.min(options.end ?? size, size)
      let at = Math.min(options.start ?? 0, end)
      const step = end - at <= WHOLE ? WHOLE : CHUNK
      while (at < end) {
        throwIfAborted(signal)
        const chunk = readBuffer(Math.min(step, end - at))
        const got = readSync(fd, chunk, 0, chunk.length, at)
        // The file was truncated meanwhile; the parser will report the cut content.
        if (got === 0) break
        at += got
        yield got === chunk.length ? chunk : chunk.subarray(0, got)
      }
    } catch (error) {
      throw localSourceError(error, file)
    } finally {
      if (fd !== null) closeSync(fd)
    }
  }

  async head(path: string, signal: AbortSignal): Promise<LogObject | null> {
    throwIfAborted(signal)
    const stats = statOrNull(this.#absolute(path))
    return stats === null || !stats.isFile() ? null : { size: stats.size, modified: Math.floor(stats.mtimeMs) }
  }

  async localFile(path: string, signal: AbortSignal): Promise<AsyncDisposable & { readonly file: string }> {
    throwIfAborted(signal)
    const file = this.#absolute(path)
    if (statOrNull(file) === null) throw sourceGone('file', file)
    return { file, [Symbol.asyncDispose]: async () => {} }
  }
}

/**
 * The log of the table in a local folder. `root` is the file URI of the real path, so that all paths of one folder are
 * one table. The listing of a folder that does not exist is empty.
 * @param path of the table root as the user wrote it; kept as `label`
 * @throws SluiceError SOURCE_DENIED, SOURCE_IO if the path cannot be resolved
 */
export function openLocalLog(path: string): LogStore {
  return new LocalLog(path)
}
