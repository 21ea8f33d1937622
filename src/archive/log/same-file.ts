/**
 * Finds the path that names the same file of an archive as a given path. A file system that ignores case, or stores
 * names in another Unicode form, lists a file under another path than the log or the ledger has.
 */
import { join } from 'node:path'
import { isSameFile, statOrNull } from '../../shared/durable-files.ts'

/**
 * The path that names the file.
 * @property isMissing true if no file exists under this path, and the given path differs from it in case or Unicode
 * form only
 */
export type SamePath = { readonly path: string; readonly isMissing: boolean }

export class FilePaths {
  readonly #folder: string | null
  readonly #paths: ReadonlySet<string>
  #byName: Map<string, string[]> | null = null

  /** @param folder of the archive on a disk; null for a bucket, where different paths are different files */
  constructor(folder: string | null, paths: Iterable<string>) {
    this.#folder = folder
    this.#paths = new Set(paths)
  }

  /**
   * The path that names the same file; null if there is none. If no file exists under a path, paths that differ only in
   * case or Unicode form count as the same: the archive may have been moved from a file system that ignores these.
   */
  async find(path: string): Promise<SamePath | null> {
    if (this.#paths.has(path)) return { path, isMissing: false }
    if (this.#folder === null) return null
    const file = join(this.#folder, path)
    let missing: SamePath | null = null
    for (const other of this.#named(path)) {
      const otherFile = join(this.#folder, other)
      if (await isSameFile(file, otherFile)) return { path: other, isMissing: false }
      if (folded(other) !== folded(path) || (await statOrNull(otherFile)) !== null) continue
      missing = { path: other, isMissing: true }
    }
    return missing === null || (await statOrNull(file)) === null ? null : missing
  }

  /**
   * True if none of the paths names the file. Also false if a missing path differs from it only in case or Unicode
   * form: the caller then keeps the file.
   * @param note called with a message for each file that is kept for this reason
   */
  async lacks(path: string, note?: (text: string) => void): Promise<boolean> {
    const same = await this.find(path)
    if (same?.isMissing === true) {
      note?.(`${path} stays: it may be the missing file ${same.path}, whose path differs in case or Unicode form only`)
    }
    return same === null
  }

  /** Paths with the same file name, regardless of case and Unicode form; their folders may differ. */
  #named(path: string): readonly string[] {
    if (this.#byName === null) {
      this.#byName = new Map()
      for (const one of this.#paths) {
        const same = this.#byName.get(nameOf(one))
        if (same === undefined) this.#byName.set(nameOf(one), [one])
        else same.push(one)
      }
    }
    return this.#byName.get(nameOf(path)) ?? []
  }
}

function nameOf(path: string): string {
  return folded(path.slice(path.lastIndexOf('/') + 1))
}

function folded(path: string): string {
  return path.normalize('NFC').toLowerCase()
}
