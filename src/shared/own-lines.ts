/** A file of lines, oldest first, readable by its owner only. */
import { randomBytes } from 'node:crypto'
import { appendFile, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { makeFolder } from './make-folder.ts'

const OWN_FILE = 0o600
const OWN_FOLDER = 0o700

export class OwnLines {
  readonly #file: string

  constructor(file: string) {
    this.#file = file
  }

  /** Non-empty lines; none if the file cannot be read. */
  async read(): Promise<readonly string[]> {
    const text = await readFile(this.#file, 'utf8').catch(() => '')
    return text.split('\n').filter((line) => line !== '')
  }

  /** @throws if the file cannot be written */
  async append(line: string): Promise<void> {
    await makeFolder(dirname(this.#file), OWN_FOLDER)
    await appendFile(this.#file, `${line}\n`, { mode: OWN_FILE })
  }

  /** Replaces all lines atomically. @throws if the file cannot be written */
  async replace(lines: readonly string[]): Promise<void> {
    await makeFolder(dirname(this.#file), OWN_FOLDER)
    const part = `${this.#file}.${randomBytes(4).toString('hex')}`
    try {
      await writeFile(part, lines.map((line) => `${line}\n`).join(''), { mode: OWN_FILE, flag: 'wx' })
      await rename(part, this.#file)
    } finally {
      await rm(part, { force: true })
    }
  }
}
