/** Compares the listing of a table's folder with the files that its log refers to. Nothing is opened here. */
import type { Finding } from '../../../delta/fsck/finding.ts'
import { ListedFiles, MARKS } from '../../../delta/fsck/listed-files.ts'
import { pathFault } from '../../../delta/fsck/path-fault.ts'
import { LOG_FOLDER } from '../../../delta/log-path.ts'
import { throwIfAborted } from '../../../shared/abort.ts'
import { SluiceError } from '../../../shared/errors.ts'
import type { LogStore } from '../../../model/lake/log-store.ts'
import { PlaceUnreachable, type FilePlace, type Places } from './places.ts'
import type { FsckProgress } from './progress.ts'
import type { FsckFile, Subject } from './subject.ts'

/**
 * Lists all objects of the table except its log. Folders that this user has no right to list become notes; their files
 * are then requested one by one.
 * @throws SluiceError SOURCE_DENIED of the table's own folder, SOURCE_IO
 */
export async function listTable(
  { store }: Subject,
  progress: FsckProgress,
  found: (finding: Finding) => void,
  signal: AbortSignal,
): Promise<ListedFiles> {
  const listed = new ListedFiles()
  progress.begin('listing', null)
  if (store.listFiles === undefined) {
    throw new SluiceError('UNSUPPORTED_URL', `${store.label} cannot be listed with its subfolders`)
  }
  const denied = (folder: string, error: SluiceError): void => {
    listed.close(folder)
    const detail = `the folder cannot be listed: ${error.message}`
    found({ level: 'note', kind: 'not-read', path: folder, detail })
  }
  for await (const { name, size, modified } of store.listFiles((folder) => folder !== LOG_FOLDER, signal, denied)) {
    if (name.startsWith(`${LOG_FOLDER}/`)) continue
    listed.add(name, size, modified)
    progress.add(1, size)
  }
  return listed
}

export type ListingCounts = {
  /** Files not checked, because they are outside of the table root. */
  outside: number
  /** Deletion vectors that are not checked: outside of the table root. */
  vectorsOutside: number
  /** Files not checked, because they cannot be read. */
  unread: number
  /** Files whose modification time differs by at least a second from the time in the log. */
  times: number
}

export class ListingCheck {
  readonly #listed: ListedFiles
  readonly #places: Places
  readonly #signal: AbortSignal
  /** Active files that are not in the listing. */
  readonly #unlisted = new Set<string>()
  readonly counts: ListingCounts = { outside: 0, vectorsOutside: 0, unread: 0, times: 0 }

  constructor(listed: ListedFiles, places: Places, signal: AbortSignal) {
    this.#listed = listed
    this.#places = places
    this.#signal = signal
  }

  /** Marks a file and its vector as needed. @returns true if the file was marked before, so it is active twice */
  async needed(file: FsckFile): Promise<boolean> {
    const place = await this.#places.file(file.path).catch(unreadIsNull)
    const vector = await this.#vectorPlace(file).catch(unreadIsNull)
    if (vector !== null && vector !== 'inline' && vector.inside) this.#mark(vector.path)
    if (place?.inside === true && this.#listed.find(place.path) !== null) return this.#mark(place.path)
    const name = place?.inside === true ? place.path : file.path
    const isKnown = this.#unlisted.has(name)
    this.#unlisted.add(name)
    return isKnown
  }

  /**
   * Compares the size, and counts times that differ. `place` is null if the file is outside, unreachable or missing,
   * or its path is unusable.
   * @returns locations of the file and of its vector
   */
  async check(
    file: FsckFile,
    found: (finding: Finding) => void,
  ): Promise<{ readonly place: FilePlace | null; readonly vector: FilePlace | 'inline' | null }> {
    throwIfAborted(this.#signal)
    const { path } = file
    const vector = await this.#vectorPlace(file, found).catch((error: unknown) => {
      if (!(error instanceof PlaceUnreachable)) throw error
      found(notRead(path, `its deletion vector: ${error.message}`))
      return null
    })
    const unread = (why: string): { readonly place: null; readonly vector: typeof vector } => {
      this.counts.unread++
      found(notRead(path, why))
      return { place: null, vector }
    }
    const fault = pathFault(path)
    if (fault !== null) {
      found({ level: 'finding', kind: 'path-unusable', path, detail: fault })
      return { place: null, vector }
    }
    let place: FilePlace | null
    try {
      place = await this.#places.file(path)
    } catch (error) {
      if (error instanceof PlaceUnreachable) return unread(error.message)
      throw error
    }
    if (place === null) {
      this.counts.outside++
      return { place, vector }
    }
    let there: Awaited<ReturnType<LogStore['head']>>
    try {
      there = await this.#factsOf(place)
    } catch (error) {
      throwIfAborted(this.#signal)
      const why = this.#places.skipReason(place, error)
      if (why === null) throw error
      return unread(why)
    }
    if (there === null) {
      found({ level: 'finding', kind: 'file-missing', path, detail: 'the file does not exist', absent: place.path })
      return { place: null, vector }
    }
    if (Math.abs(there.modified - file.modificationTime) >= 1000) this.counts.times++
    if (there.size === file.size) return { place, vector }
    const detail = `the file has ${there.size} bytes, the log records ${file.size}`
    found({ level: 'finding', kind: 'file-size', path, log: `${file.size}`, found: `${there.size}`, detail })
    return { place, vector }
  }

  async #factsOf(place: FilePlace): Promise<{ readonly size: number; readonly modified: number } | null> {
    const no = place.inside ? this.#listed.find(place.path) : null
    if (no !== null) return { size: this.#listed.sizeOf(no), modified: this.#listed.timeOf(no) }
    // The file may be behind a linked folder, have another spelling, or be newer than the listing: request the object
    // itself.
    return place.store.head(place.path, this.#signal)
  }

  async #vectorPlace(file: FsckFile, found?: (finding: Finding) => void): Promise<FilePlace | 'inline' | null> {
    if (file.vector === null) return null
    try {
      const place = await this.#places.vector(file.vector)
      if (place === null && found !== undefined) this.counts.vectorsOutside++
      return place
    } catch (error) {
      if (!(error instanceof SluiceError) || error.code !== 'BAD_DELETION_VECTOR') throw error
      const detail = `its deletion vector: ${error.reason ?? error.message}`
      found?.({ level: 'finding', kind: 'vector-damaged', path: file.path, detail })
      return null
    }
  }

  /** @returns true if it was marked before */
  #mark(path: string): boolean {
    const no = this.#listed.find(path)
    if (no === null) return false
    const wasMarked = this.#listed.isMarked(no, MARKS.active)
    this.#listed.mark(no, MARKS.active)
    return wasMarked
  }
}

/** A note that a file, or its deletion vector, could not be read. */
export function notRead(path: string, why: string): Finding {
  return { level: 'note', kind: 'not-read', path, detail: `it was not read: ${why}` }
}

function unreadIsNull(error: unknown): null {
  if (error instanceof PlaceUnreachable) return null
  throw error
}
