/** History of the user's statements, in a file that only the user can read: one line per statement, oldest first. */
import { join } from 'node:path'
import { OwnLines } from '../../shared/own-lines.ts'
import { redactText } from '../../shared/redact.ts'
import { stateFolder } from '../../shared/state-folder.ts'
import type { AskedStatement, AskPlace } from './port.ts'

/** Number of kept statements, and the maximum length of a statement, characters. */
const KEPT = 1000
const LONGEST = 100_000
/** Size at which the file is shortened. */
const LARGE_BYTES = 4 << 20
/** A password in a statement: `PASSWORD '…'`, `IDENTIFIED BY '…'`, `password=…`. */
const SECRET = /\b(?:password|passwd|pwd|identified\s+by|secret|token)\b\s*[=:]?\s*'/i

export class AskHistory {
  readonly #lines: OwnLines
  #last: Promise<unknown> = Promise.resolve()

  constructor(file: string = join(stateFolder(process.env), 'asked.jsonl')) {
    this.#lines = new OwnLines(file)
  }

  /** The stored statements, oldest first, without invalid lines; empty if the file cannot be read. */
  async read(): Promise<readonly AskedStatement[]> {
    await this.#last
    return (await this.#lines.read()).flatMap(askedOf).slice(-KEPT)
  }

  /** @returns false if the statement is not kept: it contains a password, is too long, or cannot be written */
  add(asked: AskedStatement): Promise<boolean> {
    const { sql } = asked
    if (sql.length > LONGEST || SECRET.test(sql) || redactText(sql) !== sql) return Promise.resolve(false)
    const added = this.#last
      .then(() => this.#append(asked))
      .then(
        () => true,
        () => false,
      )
    this.#last = added
    return added
  }

  async #append(asked: AskedStatement): Promise<void> {
    const lines = await this.#lines.read()
    const line = JSON.stringify(asked)
    const size = lines.reduce((sum, one) => sum + one.length + 1, 0)
    if (lines.length < KEPT * 2 && size < LARGE_BYTES) await this.#lines.append(line)
    else await this.#lines.replace([...newestLines(lines), line])
  }
}

/** The newest lines, few enough that the file need not be shortened again soon. */
function newestLines(lines: readonly string[]): readonly string[] {
  const kept: string[] = []
  let bytes = 0
  for (const line of lines.slice(-KEPT).toReversed()) {
    bytes += line.length
    if (bytes > LARGE_BYTES / 2) break
    kept.unshift(line)
  }
  return kept
}

function askedOf(line: string): readonly AskedStatement[] {
  try {
    const { at, place, sql } = JSON.parse(line) as Partial<Record<string, unknown>>
    if (typeof at !== 'string' || typeof sql !== 'string') return []
    const where = placeOf(place)
    return where === null ? [] : [{ at, place: where, sql }]
  } catch {
    return []
  }
}

function placeOf(value: unknown): AskPlace | null {
  if (typeof value !== 'object' || value === null) return null
  const { kind, url, table } = value as Partial<Record<string, unknown>>
  if (typeof url !== 'string') return null
  if (kind === 'catalog' || kind === 'database') return { kind, url }
  return kind === 'archive' && typeof table === 'string' ? { kind, url, table } : null
}
