/** Locations of a table's files: below its root, or outside of it if a shallow clone refers to another table. */
import type { DeletionVectorDescriptor } from '../../../delta/actions.ts'
import { deletionVectorPath } from '../../../delta/deletion-vector.ts'
import { pathFault } from '../../../delta/fsck/path-fault.ts'
import { resolveDataPath } from '../../../delta/paths.ts'
import type { LogStore } from '../../../model/lake/log-store.ts'
import { pathOfLocation } from '../../../model/lake/lake-url.ts'
import { SluiceError } from '../../../shared/errors.ts'
import { openLake } from '../../run/registry.ts'

/** `path` is relative to the table root if `inside`, otherwise to the folder of the file. */
export type FilePlace = { readonly store: LogStore; readonly path: string; readonly inside: boolean }

/** Thrown if a location outside of the table is unreachable. No finding, because nothing is known about the file. */
export class PlaceUnreachable extends Error {}

export class Places {
  readonly #store: LogStore
  readonly #outside: boolean
  readonly #folders = new Map<string, Promise<LogStore>>()
  /** Folders that cannot be reached, with the reason. */
  readonly #unread = new Map<string, string>()

  /** @param outside true: also check files outside of the table root */
  constructor(store: LogStore, outside: boolean) {
    this.#store = store
    this.#outside = outside
  }

  /**
   * Location of a data file. Its path in the log must have no `pathFault`.
   * @returns null if the file is outside of the table root, and such files are not checked
   * @throws PlaceUnreachable if the file is outside, in a folder that cannot be reached
   */
  async file(path: string): Promise<FilePlace | null> {
    const place = resolveDataPath(path, this.#store.root)
    return place.inside ? { store: this.#store, path: place.path, inside: true } : this.#at(place.uri)
  }

  /**
   * Location of a deletion vector's file; `inline` if the log holds the vector.
   * @throws SluiceError BAD_DELETION_VECTOR if the descriptor names no file; PlaceUnreachable as `file`
   */
  async vector(dv: DeletionVectorDescriptor): Promise<FilePlace | 'inline' | null> {
    if (dv.storageType === 'i') return 'inline'
    if (dv.storageType === 'p') {
      const fault = pathFault(dv.pathOrInlineDv)
      if (fault !== null) throw new SluiceError('BAD_DELETION_VECTOR', fault, { where: dv.pathOrInlineDv })
      return this.file(dv.pathOrInlineDv)
    }
    return { store: this.#store, path: deletionVectorPath(dv, this.#store.root) ?? '', inside: true }
  }

  /**
   * Reason for skipping a file after a read error. An outside folder that cannot be reached is not tried again.
   * @returns null if the error must end the check, such as an error of the table's own store
   */
  skipReason(place: FilePlace, error: unknown): string | null {
    if (!(error instanceof SluiceError) || error.kind === 'internal' || error.kind === 'stopped') return null
    if (place.inside) return error.code === 'SOURCE_DENIED' ? error.message : null
    if (error.code !== 'SOURCE_DENIED') this.#unread.set(place.store.root, error.message)
    return error.message
  }

  async #at(uri: string): Promise<FilePlace | null> {
    if (!this.#outside) return null
    const host = /^file:\/\/([^/]+)/.exec(uri)?.[1]
    if (host !== undefined) throw new PlaceUnreachable(`it is on the machine ${host}`)
    const cut = uri.lastIndexOf('/')
    const folder = uri.slice(0, cut)
    let store = this.#folders.get(folder)
    if (store === undefined) this.#folders.set(folder, (store = openFolder(folder)))
    const opened = await store
    const why = this.#unread.get(opened.root)
    if (why !== undefined) throw new PlaceUnreachable(why)
    return { store: opened, path: decodeURIComponent(uri.slice(cut + 1)), inside: false }
  }
}

async function openFolder(folder: string): Promise<LogStore> {
  try {
    return await openLake(pathOfLocation(folder))
  } catch (error) {
    if (!(error instanceof SluiceError) || error.kind === 'internal' || error.kind === 'stopped') throw error
    throw new PlaceUnreachable(error.message)
  }
}
