/** The local folder of a Delta table, for writing: a file with its final name is complete and durable. */
import { randomUUID } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { link, open, opendir, rename, rm, unlink } from 'node:fs/promises'
import { dirname, join, relative, sep } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { LogWriter } from '../../model/lake/log-writer.ts'
import { throwIfAborted } from '../../shared/abort.ts'
import { SluiceError } from '../../shared/errors.ts'
import { syncPath } from '../../shared/sync-path.ts'
import {
  fileErrorCode,
  equalFiles,
  fileHolds,
  isSameFile,
  nameTaken,
  makeDurableFolder,
  NO_LINKS,
  statOrNull,
} from '../../shared/durable-files.ts'
import { permissionDenied, spaceExhausted } from '../../shared/guide-errors.ts'
import { realFolder } from './index.ts'
import { tablePath } from '../common/table-path.ts'

/** Steps of writing a file, in this order. */
export type WriteStep = 'created' | 'written' | 'synced' | 'placed' | 'tidied' | 'folder synced'

export type LocalWriterOptions = {
  /** Called at every step; tests kill the process or make the disk fail there. */
  readonly onStep?: (step: WriteStep, path: string) => void
}

const COPIED = 1 << 20

class LocalLogWriter implements LogWriter {
  readonly root: string
  readonly label: string
  readonly folder: string
  readonly #onStep: (step: WriteStep, path: string) => void

  constructor(path: string, options: LocalWriterOptions) {
    this.folder = realFolder(path)
    this.root = pathToFileURL(this.folder).href.replace(/\/+$/, '')
    this.label = path
    this.#onStep = options.onStep ?? (() => undefined)
  }

  async putIfAbsent(path: string, bytes: Buffer, signal: AbortSignal): Promise<'written' | 'exists'> {
    return this.#guarded(path, signal, async (file) => {
      const temporaryFile = await this.#writeTemporary(path, file, bytes)
      try {
        await link(temporaryFile, file)
        this.#onStep('placed', path)
      } catch (error) {
        if (fileErrorCode(error) !== 'EEXIST') throw error
        // An earlier attempt wrote the same bytes, and may have ended before the folder was synced.
        if (!(await fileHolds(file, bytes))) return 'exists'
      } finally {
        await rm(temporaryFile, { force: true })
      }
      this.#onStep('tidied', path)
      await syncPath(dirname(file))
      this.#onStep('folder synced', path)
      return 'written'
    })
  }

  async put(path: string, bytes: Buffer, signal: AbortSignal): Promise<void> {
    await this.#guarded(path, signal, async (file) => {
      const temporaryFile = await this.#writeTemporary(path, file, bytes)
      try {
        await rename(temporaryFile, file)
      } catch (error) {
        await rm(temporaryFile, { force: true })
        throw error
      }
      this.#onStep('placed', path)
      await syncPath(dirname(file))
      this.#onStep('folder synced', path)
    })
  }

  async upload(path: string, source: string, signal: AbortSignal): Promise<void> {
    await this.#guarded(path, signal, async (file) => {
      await syncPath(source)
      if (!(await isSameFile(source, file))) {
        await makeDurableFolder(dirname(file))
        await this.#placeFile(path, source, file, signal)
      }
      this.#onStep('placed', path)
      await syncPath(dirname(file))
      this.#onStep('folder synced', path)
    })
  }

  async *listAll(
    folder: string,
    signal: AbortSignal,
  ): AsyncGenerator<{ readonly path: string; readonly size: bigint; readonly modified: number }> {
    const waiting = [folder === '' ? this.folder : join(this.folder, tablePath(folder, this.label))]
    for (let at = waiting.pop(); at !== undefined; at = waiting.pop()) {
      try {
        for await (const entry of await opendir(at)) {
          throwIfAborted(signal)
          const file = join(at, entry.name)
          // Skip links: their targets are not part of the table.
          if (entry.isDirectory()) waiting.push(file)
          if (!entry.isFile()) continue
          const found = await statOrNull(file)
          if (found === null) continue
          const path = relative(this.folder, file).split(sep).join('/')
          yield { path, size: found.size, modified: Number(found.mtimeMs) }
        }
      } catch (error) {
        if (fileErrorCode(error) !== 'ENOENT' && fileErrorCode(error) !== 'ENOTDIR') throw targetError(error, at)
      }
    }
  }

  async remove(path: string, signal: AbortSignal): Promise<void> {
    await this.#guarded(path, signal, async (file) => {
      try {
        await unlink(file)
      } catch (error) {
        if (fileErrorCode(error) === 'ENOENT' || fileErrorCode(error) === 'ENOTDIR') return
        throw error
      }
      await syncPath(dirname(file))
    })
  }

  async #guarded<T>(path: string, signal: AbortSignal, body: (file: string) => Promise<T>): Promise<T> {
    throwIfAborted(signal)
    const file = join(this.folder, tablePath(path, this.label))
    try {
      return await body(file)
    } catch (error) {
      throwIfAborted(signal)
      throw targetError(error, file)
    }
  }

  /** Writes all bytes, durably, under a temporary name in the same folder. */
  async #writeTemporary(path: string, file: string, bytes: Buffer): Promise<string> {
    await makeDurableFolder(dirname(file))
    const temporaryFile = temporaryName(file)
    try {
      await using handle = await open(temporaryFile, 'wx')
      this.#onStep('created', path)
      await handle.writeFile(bytes)
      this.#onStep('written', path)
      await handle.sync()
      this.#onStep('synced', path)
    } catch (error) {
      await rm(temporaryFile, { force: true })
      throw error
    }
    return temporaryFile
  }

  /** Gives the file its name without overwriting: by a hard link, or by a copy if the source is on another disk. */
  async #placeFile(path: string, source: string, file: string, signal: AbortSignal): Promise<void> {
    let linked = source
    try {
      await link(source, file)
      return
    } catch (error) {
      if (fileErrorCode(error) === 'EEXIST') return await refuseOther(source, file)
      if (fileErrorCode(error) !== 'EXDEV') throw error
      linked = temporaryName(file)
    }
    try {
      const handle = await open(linked, 'wx')
      this.#onStep('created', path)
      try {
        for await (const piece of createReadStream(source, { highWaterMark: COPIED, signal })) {
          await handle.writeFile(piece as Buffer)
        }
        this.#onStep('written', path)
        await handle.sync()
        this.#onStep('synced', path)
      } finally {
        await handle.close()
      }
      await link(linked, file).catch(async (error: unknown) => {
        if (fileErrorCode(error) !== 'EEXIST') throw error
        await refuseOther(source, file)
      })
    } finally {
      await rm(linked, { force: true })
    }
  }
}

function temporaryName(file: string): string {
  return join(dirname(file), `.tmp-${randomUUID()}`)
}

/** Throws if the existing file has other bytes. A file with the same bytes was written by an earlier attempt. */
async function refuseOther(source: string, file: string): Promise<void> {
  if (await equalFiles(source, file)) return
  throw nameTaken(file)
}

function targetError(error: unknown, file: string): unknown {
  if (error instanceof SluiceError || !(error instanceof Error)) return error
  const code = fileErrorCode(error)
  const where = `${file}: ${error.message}`
  if (code === 'ENOSPC' || code === 'EDQUOT') {
    return new SluiceError(...spaceExhausted({ where, cause: error }, ', then run the same command again'))
  }
  if ('syscall' in error && error.syscall === 'link' && NO_LINKS.has(code)) {
    return new SluiceError('UNSUPPORTED_URL', 'the file system of the archive has no hard links', {
      where,
      reason: 'without them two archivers could overwrite each other',
      hint: 'put the archive on a local disk, or in a bucket',
      cause: error,
    })
  }
  if (code === 'EACCES' || code === 'EPERM' || code === 'EROFS') {
    return new SluiceError(...permissionDenied('TARGET_DENIED', { where, cause: error }))
  }
  if (code === '') return error
  return new SluiceError('TARGET_IO', `the archive cannot be written: ${error.message}`, { where: file, cause: error })
}

/**
 * The table in a local folder, which is created at the first write. `root` is the file URI of the real path, as in
 * `openLocalLog`.
 * @throws SluiceError SOURCE_DENIED, SOURCE_IO if the path cannot be resolved
 */
export function openLocalLogWriter(path: string, options: LocalWriterOptions = {}): LogWriter {
  return new LocalLogWriter(path, options)
}
