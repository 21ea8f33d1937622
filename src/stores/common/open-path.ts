/** Whether the path of an open database file still names that file. Changes of a file without a path are lost. */
import { statSync } from 'node:fs'
import { SluiceError } from '../../shared/errors.ts'

export class OpenPath {
  readonly #path: string
  readonly #label: string
  readonly #side: 'source' | 'target'
  /** Device and inode. */
  readonly identity: string

  /** @param path of a file that has just been opened @throws the error of the operating system */
  constructor(path: string, label: string, side: 'source' | 'target') {
    this.#path = path
    this.#label = label
    this.#side = side
    const { dev, ino } = statSync(path, { bigint: true })
    this.identity = `${dev}:${ino}`
  }

  /** @throws SluiceError TARGET_IO or SOURCE_GONE if the file was removed, or another one has its path now */
  check(): void {
    const now = statSync(this.#path, { bigint: true, throwIfNoEntry: false })
    if (now !== undefined && `${now.dev}:${now.ino}` === this.identity) return
    const isTarget = this.#side === 'target'
    throw new SluiceError(
      isTarget ? 'TARGET_IO' : 'SOURCE_GONE',
      `the database file was ${now === undefined ? 'removed' : 'replaced by another file'} while it was open`,
      {
        where: this.#label,
        reason: isTarget
          ? 'rows that this run wrote may be in the old file only'
          : 'rows that this run read are of the old file',
        hint: isTarget
          ? 'find out which program did that, then run the same command again: it uses the file that has this path then'
          : 'find out which program did that, then run the same command again: it says how to continue',
      },
    )
  }
}
