/** Where the files of a table lie: below its root, or outside of it where a shallow clone refers to another table. */
import type { DeletionVectorDescriptor } from '../../delta/actions.ts'
import { deletionVectorPath } from '../../delta/deletion-vector.ts'
import { resolveDataPath } from '../../delta/paths.ts'
import type { LogStore } from '../../model/log-store.ts'
import { pathOfLocation } from '../../model/lake-url.ts'
import { openLake } from '../registry.ts'

/** @param inside relative to the root of the table */
export type Place = { readonly store: LogStore; readonly path: string; readonly inside: boolean }

export class Places {
  readonly #store: LogStore
  readonly #outside: boolean
  readonly #folders = new Map<string, Promise<LogStore>>()

  /** @param outside whether files outside the table root are looked at too */
  constructor(store: LogStore, outside: boolean) {
    this.#store = store
    this.#outside = outside
  }

  /** Place of a data file by its path in the log; null where it lies outside and that was not asked for. */
  async file(path: string): Promise<Place | null> {
    const place = resolveDataPath(path, this.#store.root)
    return place.inside ? { store: this.#store, path: place.path, inside: true } : this.#at(place.uri)
  }

  /**
   * Place of the file of a deletion vector; `inline` where the log holds it.
   * @throws SluiceError BAD_DELETION_VECTOR for a descriptor that names no file
   */
  async vector(dv: DeletionVectorDescriptor): Promise<Place | 'inline' | null> {
    if (dv.storageType === 'i') return 'inline'
    if (dv.storageType === 'p') return this.file(dv.pathOrInlineDv)
    return { store: this.#store, path: deletionVectorPath(dv, this.#store.root) ?? '', inside: true }
  }

  async #at(uri: string): Promise<Place | null> {
    if (!this.#outside) return null
    const cut = uri.lastIndexOf('/')
    const folder = uri.slice(0, cut)
    let store = this.#folders.get(folder)
    if (store === undefined) this.#folders.set(folder, (store = openLake(pathOfLocation(folder))))
    return { store: await store, path: decodeURIComponent(uri.slice(cut + 1)), inside: false }
  }
}
