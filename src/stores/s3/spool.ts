/**
 * Keeps small objects on disk for a second reading. The file has no name, so it disappears with the process in any
 * case. An object is returned only while the newest listing has its ETag.
 */
import { closeSync, mkdtempSync, openSync, readSync, rmSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** Maximum number of bytes that are kept; objects beyond it are fetched again. */
export const SPOOL_BYTES = 512 << 20

type Kept = { readonly at: number; readonly length: number; readonly etag: string }

const openFiles = new FinalizationRegistry<number>((fd) => closeSync(fd))

export class Spool {
  readonly #kept = new Map<string, Kept>()
  #fd: number | null = null
  #end = 0
  #broken = false

  /** Keeps an object if there is space. Never fails: after a disk error objects are fetched again. */
  keep(path: string, etag: string, bytes: Buffer): void {
    if (this.#broken || this.#end + bytes.length > SPOOL_BYTES || this.#kept.get(path)?.etag === etag) return
    try {
      const fd = this.#open()
      for (let done = 0; done < bytes.length;) done += writeSync(fd, bytes, done, bytes.length - done, this.#end + done)
      this.#kept.set(path, { at: this.#end, length: bytes.length, etag })
      this.#end += bytes.length
    } catch {
      this.#broken = true
    }
  }

  /** The object, if it was kept with this ETag. */
  find(path: string, etag: string | null | undefined): Buffer | null {
    const kept = this.#kept.get(path)
    if (kept === undefined || this.#fd === null || kept.etag !== etag) return null
    const bytes = Buffer.allocUnsafeSlow(kept.length)
    const got = readSync(this.#fd, bytes, 0, kept.length, kept.at)
    return got === kept.length ? bytes : null
  }

  /** True if the object was kept with this ETag. */
  has(path: string, etag: string | null | undefined): boolean {
    return this.#kept.get(path)?.etag === etag && etag !== undefined
  }

  #open(): number {
    if (this.#fd !== null) return this.#fd
    const folder = mkdtempSync(join(tmpdir(), 'sluice-s3-'))
    try {
      this.#fd = openSync(join(folder, 'spool'), 'w+', 0o600)
    } finally {
      rmSync(folder, { recursive: true, force: true })
    }
    openFiles.register(this, this.#fd)
    return this.#fd
  }
}
