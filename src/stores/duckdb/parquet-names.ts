/** File names that DuckDB reads as one file: names with pattern or control characters get a symbolic link. */
import { rm, symlink } from 'node:fs/promises'
import { extname, join } from 'node:path'
import { makeSpool } from '../../shared/spool.ts'

export class ParquetNames implements AsyncDisposable {
  #folder: Promise<string> | null = null
  #links = 0

  /** @returns the name, or that of a link to the file, which is valid until this object is disposed */
  async plain(file: string): Promise<string> {
    if (!/[*?[\]{}\\\u0000-\u001f]/.test(file) && extname(file) === '.parquet') return file
    this.#folder ??= makeSpool()
    const link = join(await this.#folder, `${this.#links++}.parquet`)
    await symlink(file, link)
    return link
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#folder !== null) await rm(await this.#folder, { recursive: true, force: true })
  }
}
