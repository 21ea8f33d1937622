/** The listing of a table's folder, in about 100 bytes per object, with marks of objects that the log refers to. */

/**
 * Marks for the versions that refer to an object. `active`: the inspected version. `kept`: the newest version, or a
 * version within the retention. `expired`: only versions that can no longer be read after VACUUM.
 */
export const MARKS = { active: 1, kept: 2, expired: 4 } as const

export type Listed = { readonly path: string; readonly size: number; readonly modified: number; readonly marks: number }

const FIRST_ROOM = 1024

export class ListedFiles {
  readonly #folders = new Map<string, Map<string, number>>()
  readonly #closed: string[] = []
  #sizes = new Float64Array(FIRST_ROOM)
  #times = new Float64Array(FIRST_ROOM)
  #marks = new Uint8Array(FIRST_ROOM)
  #count = 0

  get count(): number {
    return this.#count
  }

  /** @param path relative to the table root */
  add(path: string, size: number, modified: number): void {
    const [folder, name] = split(path)
    let names = this.#folders.get(folder)
    if (names === undefined) this.#folders.set(folder, (names = new Map()))
    if (this.#count === this.#sizes.length) this.#grow()
    names.set(name, this.#count)
    this.#sizes[this.#count] = size
    this.#times[this.#count] = modified
    this.#count++
  }

  /** Notes a folder that was not listed: its content is unknown. */
  close(folder: string): void {
    this.#closed.push(`${folder}/`)
  }

  /** True if a path is in a folder that was not listed. */
  isUnknown(path: string): boolean {
    return this.#closed.some((folder) => path.startsWith(folder))
  }

  /** Number of an object, or null if it was not listed. */
  find(path: string): number | null {
    const [folder, name] = split(path)
    return this.#folders.get(folder)?.get(name) ?? null
  }

  /** Size of an object, bytes. */
  sizeOf(no: number): number {
    return this.#sizes[no] as number
  }

  /** Modification time of an object, ms since the epoch. */
  timeOf(no: number): number {
    return this.#times[no] as number
  }

  mark(no: number, mark: number): void {
    this.#marks[no] = (this.#marks[no] as number) | mark
  }

  isMarked(no: number, mark: number): boolean {
    return ((this.#marks[no] as number) & mark) !== 0
  }

  /** All listed objects, in the order of the listing, folder by folder. */
  *all(): Generator<Listed> {
    for (const [folder, names] of this.#folders) {
      for (const [name, no] of names) {
        const path = folder === '' ? name : `${folder}/${name}`
        yield { path, size: this.sizeOf(no), modified: this.timeOf(no), marks: this.#marks[no] as number }
      }
    }
  }

  #grow(): void {
    const room = this.#count * 2
    this.#sizes = grown(this.#sizes, new Float64Array(room))
    this.#times = grown(this.#times, new Float64Array(room))
    this.#marks = grown(this.#marks, new Uint8Array(room))
  }
}

function grown<T extends Float64Array | Uint8Array>(from: T, to: T): T {
  to.set(from)
  return to
}

function split(path: string): readonly [folder: string, name: string] {
  const cut = path.lastIndexOf('/')
  return cut === -1 ? ['', path] : [path.slice(0, cut), path.slice(cut + 1)]
}
