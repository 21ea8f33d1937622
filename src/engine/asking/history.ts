/** What somebody has asked, in a file that only he can read: a line for each statement, oldest first. */
import { randomBytes } from 'node:crypto'
import { appendFile, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { redactText } from '../../shared/redact.ts'
import { stateFolder } from '../../shared/state-folder.ts'
import type { Asked, AskPlace } from './port.ts'

/** Statements that are kept, and how long each may be. */
const KEPT = 1000
const LONGEST = 100_000
/** Beyond these bytes the file is made shorter. */
const LARGE_BYTES = 4 << 20
const OWN_FILE = 0o600
const OWN_FOLDER = 0o700
/** What gives a password in a statement: `PASSWORD '…'`, `IDENTIFIED BY '…'`, `password=…`. */
const SECRET = /\b(?:password|passwd|pwd|identified\s+by|secret|token)\b\s*[=:]?\s*'/i

export class AskHistory {
  readonly #file: string
  #last: Promise<unknown> = Promise.resolve()

  constructor(file: string = join(stateFolder(process.env), 'asked.jsonl')) {
    this.#file = file
  }

  /** Oldest first. A line that cannot be read is left out, and a file that cannot be read is an empty one. */
  async read(): Promise<readonly Asked[]> {
    await this.#last
    const text = await readFile(this.#file, 'utf8').catch(() => '')
    return text.split('\n').flatMap(askedOf).slice(-KEPT)
  }

  /** @returns false where it is not kept: a password stands in it, it is too long, or there is no place to write. */
  add(asked: Asked): Promise<boolean> {
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

  async #append(asked: Asked): Promise<void> {
    await mkdir(dirname(this.#file), { recursive: true, mode: OWN_FOLDER })
    const text = await readFile(this.#file, 'utf8').catch(() => '')
    const lines = text.split('\n').filter((line) => line !== '')
    const line = JSON.stringify(asked)
    if (lines.length < KEPT * 2 && text.length < LARGE_BYTES) {
      await appendFile(this.#file, `${line}\n`, { mode: OWN_FILE })
      return
    }
    const beside = `${this.#file}.${randomBytes(4).toString('hex')}`
    try {
      await writeFile(beside, [...fitting(lines), line, ''].join('\n'), { mode: OWN_FILE, flag: 'wx' })
      await rename(beside, this.#file)
    } finally {
      await rm(beside, { force: true })
    }
  }
}

/** The newest lines, so many that the file stays small for a while. */
function fitting(lines: readonly string[]): readonly string[] {
  const kept: string[] = []
  let bytes = 0
  for (const line of lines.slice(-KEPT).toReversed()) {
    bytes += line.length
    if (bytes > LARGE_BYTES / 2) break
    kept.unshift(line)
  }
  return kept
}

function askedOf(line: string): readonly Asked[] {
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
