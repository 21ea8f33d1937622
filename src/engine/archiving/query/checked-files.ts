/** Files on a local disk whose sha256 was compared already, in a file of the state folder: a line for each, the newest last. */
import { randomBytes } from 'node:crypto'
import { appendFile, mkdir, readFile, rename, stat, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { stateFolder } from '../../../shared/state-folder.ts'

/** Lines that are kept when the file has twice as many. */
const KEPT = 10_000
const OWN_FILE = 0o600
const OWN_FOLDER = 0o700

export class CheckedFiles {
  readonly #file: string
  #lines: Promise<Map<string, string>> | null = null

  constructor(file: string = join(stateFolder(process.env), 'checked-files.jsonl')) {
    this.#file = file
  }

  /**
   * Whether a file has this sha256. It is computed only once for each size, inode and times of change and of modification.
   * @param compute reads the file
   */
  async has(path: string, sha256: string, compute: () => Promise<string>): Promise<boolean> {
    const before = await markOf(path)
    this.#lines ??= this.#read()
    const lines = await this.#lines
    if (lines.get(path) === `${before} ${sha256}`) return true
    if ((await compute()) !== sha256) return false
    // A file that changes meanwhile is read again by the next query.
    if ((await markOf(path)) === before) {
      lines.set(path, `${before} ${sha256}`)
      // Where nothing can be written, the next query compares again.
      await this.#add(path, `${before} ${sha256}`).catch(() => undefined)
    }
    return true
  }

  async #read(): Promise<Map<string, string>> {
    const text = await readFile(this.#file, 'utf8').catch(() => '')
    const lines = text.split('\n').flatMap(lineOf)
    const kept = new Map(lines)
    if (lines.length > 2 * KEPT) await this.#rewrite([...kept].slice(-KEPT)).catch(() => undefined)
    return kept
  }

  async #add(path: string, mark: string): Promise<void> {
    await mkdir(dirname(this.#file), { recursive: true, mode: OWN_FOLDER })
    await appendFile(this.#file, `${JSON.stringify([path, mark])}\n`, { mode: OWN_FILE })
  }

  async #rewrite(lines: readonly (readonly [string, string])[]): Promise<void> {
    const beside = `${this.#file}.${randomBytes(4).toString('hex')}`
    await writeFile(beside, lines.map((line) => `${JSON.stringify(line)}\n`).join(''), { mode: OWN_FILE, flag: 'wx' })
    await rename(beside, this.#file)
  }
}

async function markOf(path: string): Promise<string> {
  const { dev, ino, size, mtimeNs, ctimeNs } = await stat(path, { bigint: true })
  return `${dev}:${ino} ${size} ${mtimeNs} ${ctimeNs}`
}

function lineOf(text: string): readonly (readonly [string, string])[] {
  try {
    const line: unknown = JSON.parse(text)
    if (!Array.isArray(line)) return []
    const [path, mark] = line as readonly unknown[]
    return typeof path === 'string' && typeof mark === 'string' ? [[path, mark]] : []
  } catch {
    return []
  }
}
