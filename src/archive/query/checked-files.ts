/** Records in a state file which local files had the expected sha256: one line per file, newest last. */
import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { OwnLines } from '../../shared/own-lines.ts'
import { stateFolder } from '../../shared/state-folder.ts'

/** Number of newest lines that are kept when the file has more than twice as many. */
const KEPT = 10_000

export class CheckedFiles {
  readonly #lines: OwnLines
  #marks: Promise<Map<string, string>> | null = null

  constructor(file: string = join(stateFolder(process.env), 'checked-files.jsonl')) {
    this.#lines = new OwnLines(file)
  }

  /** True if a file has this sha256, computed once per size, inode, and change times. @param compute reads the file */
  async has(path: string, sha256: string, compute: () => Promise<string>): Promise<boolean> {
    const before = await markOf(path)
    const mark = `${before} ${sha256}`
    const marks = await (this.#marks ??= this.#read())
    if (marks.get(path) === mark) return true
    if ((await compute()) !== sha256) return false
    // Do not record a file that changed during the computation.
    if ((await markOf(path)) === before) {
      marks.set(path, mark)
      // If the line cannot be written, the next query compares again.
      await this.#lines.append(JSON.stringify([path, mark])).catch(() => undefined)
    }
    return true
  }

  async #read(): Promise<Map<string, string>> {
    const lines = (await this.#lines.read()).flatMap(markIn)
    const marks = new Map(lines)
    if (lines.length > 2 * KEPT) {
      const kept = [...marks].slice(-KEPT).map((one) => JSON.stringify(one))
      await this.#lines.replace(kept).catch(() => undefined)
    }
    return marks
  }
}

async function markOf(path: string): Promise<string> {
  const { dev, ino, size, mtimeNs, ctimeNs } = await stat(path, { bigint: true })
  return `${dev}:${ino} ${size} ${mtimeNs} ${ctimeNs}`
}

function markIn(text: string): readonly (readonly [string, string])[] {
  try {
    const line: unknown = JSON.parse(text)
    if (!Array.isArray(line)) return []
    const [path, mark] = line as readonly unknown[]
    return typeof path === 'string' && typeof mark === 'string' ? [[path, mark]] : []
  } catch {
    return []
  }
}
