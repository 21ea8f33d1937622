/** The listing of a table's folder beside the files that its log refers to. Nothing is opened here. */
import type { Finding } from '../../delta/fsck/finding.ts'
import { ListedFiles, MARKS } from '../../delta/fsck/listed-files.ts'
import { LOG_FOLDER } from '../../delta/log-path.ts'
import { throwIfAborted } from '../../shared/abort.ts'
import { SluiceError } from '../../shared/errors.ts'
import type { Place, Places } from './places.ts'
import type { FsckProgress } from './progress.ts'
import type { FsckFile, Subject } from './subject.ts'

/** All objects of the table but its log. @throws SluiceError SOURCE_DENIED, SOURCE_IO */
export async function listTable({ store }: Subject, progress: FsckProgress, signal: AbortSignal): Promise<ListedFiles> {
  const listed = new ListedFiles()
  progress.begin('listing', null)
  if (store.listFiles === undefined) {
    throw new SluiceError('UNSUPPORTED_URL', `${store.label} cannot be listed with its folders`)
  }
  for await (const { name, size, modified } of store.listFiles((folder) => folder !== LOG_FOLDER, signal)) {
    if (name.startsWith(`${LOG_FOLDER}/`)) continue
    listed.add(name, size, modified)
    progress.add(1, size)
  }
  return listed
}

export type ListingCounts = {
  /** Not looked at, for they lie outside the table root. */
  outside: number
  /** With another time than the log says. */
  times: number
}

export class ListingCheck {
  readonly #listed: ListedFiles
  readonly #places: Places
  readonly #signal: AbortSignal
  readonly counts: ListingCounts = { outside: 0, times: 0 }

  constructor(listed: ListedFiles, places: Places, signal: AbortSignal) {
    this.#listed = listed
    this.#places = places
    this.#signal = signal
  }

  /** Marks a file and its vector as needed. */
  async needed(file: FsckFile): Promise<void> {
    const place = await this.#places.file(file.path)
    if (place?.inside === true) this.#mark(place.path)
    const vector = await this.#vectorPlace(file)
    if (vector !== null && vector !== 'inline' && vector.inside) this.#mark(vector.path)
  }

  /**
   * Compares size and time. Null where the file cannot be opened: it lies outside, is missing or has another size.
   * @returns where it is, and where its vector is
   */
  async check(
    file: FsckFile,
    found: (finding: Finding) => void,
  ): Promise<{ readonly place: Place | null; readonly vector: Place | 'inline' | null }> {
    throwIfAborted(this.#signal)
    const vector = await this.#vectorPlace(file, found)
    const place = await this.#places.file(file.path)
    if (place === null) {
      this.counts.outside++
      return { place, vector }
    }
    const there = await this.#factsOf(place)
    const { path } = file
    if (there === null) {
      found({ level: 'finding', kind: 'file-missing', path, detail: 'the file is not there', absent: place.path })
      return { place: null, vector }
    }
    if (Math.abs(there.modified - file.modificationTime) >= 1000) this.counts.times++
    if (there.size === file.size) return { place, vector }
    const detail = `the file has ${there.size} bytes, the log says ${file.size}`
    found({ level: 'finding', kind: 'file-size', path, log: `${file.size}`, found: `${there.size}`, detail })
    return { place, vector }
  }

  async #factsOf(place: Place): Promise<{ readonly size: number; readonly modified: number } | null> {
    const no = place.inside ? this.#listed.find(place.path) : null
    if (no !== null) return { size: this.#listed.sizeOf(no), modified: this.#listed.timeOf(no) }
    // Behind a linked folder, under another spelling of its name, or written since: only the object itself can tell.
    return place.store.head(place.path, this.#signal)
  }

  async #vectorPlace(file: FsckFile, found?: (finding: Finding) => void): Promise<Place | 'inline' | null> {
    if (file.vector === null) return null
    try {
      return await this.#places.vector(file.vector)
    } catch (error) {
      if (!(error instanceof SluiceError) || error.code !== 'BAD_DELETION_VECTOR') throw error
      const detail = `its deletion vector: ${error.reason ?? error.message}`
      found?.({ level: 'finding', kind: 'vector-damaged', path: file.path, detail })
      return null
    }
  }

  #mark(path: string): void {
    const no = this.#listed.find(path)
    if (no !== null) this.#listed.mark(no, MARKS.active)
  }
}
