/** Two answers compared in constant memory, whatever their order: a sum of the rows' hashes. Small answers also name what differs. */
import { createHash } from 'node:crypto'

/** Rows of a small answer are kept, so that a difference can be named. */
const KEPT_ROWS = 20_000
const KEPT_CHARACTERS = 4_000_000
const SHOWN = 60

export class AnswerDigest {
  #rows = 0
  #characters = 0
  #kept: string[] | null = []
  /** Eight sums modulo 2^32: equal for equal multisets of rows, in any order. */
  readonly #sums = new Uint32Array(8)

  get rows(): number {
    return this.#rows
  }

  /** Rows as text, sorted; null when there are too many to keep. */
  get kept(): readonly string[] | null {
    return this.#kept?.toSorted() ?? null
  }

  add(row: string): void {
    this.#rows++
    const hash = createHash('sha256').update(row).digest()
    for (let lane = 0; lane < 8; lane++) this.#sums[lane] = (this.#sums[lane] as number) + hash.readUInt32LE(lane * 4)
    if (this.#kept === null) return
    this.#characters += row.length
    if (this.#rows > KEPT_ROWS || this.#characters > KEPT_CHARACTERS) this.#kept = null
    else this.#kept.push(row)
  }

  /** 64 hex digits; the count goes in too. */
  hex(): string {
    return createHash('sha256').update(this.#sums).update(String(this.#rows)).digest('hex')
  }
}

/** What differs between the answers, in one short line; null when nothing does. */
export function differenceOf(files: AnswerDigest, sql: AnswerDigest): string | null {
  if (files.hex() === sql.hex()) return null
  const counts = files.rows === sql.rows ? '' : `files give ${files.rows} rows, SQL ${sql.rows}`
  const [a, b] = [files.kept, sql.kept]
  if (a === null || b === null) return counts === '' ? `${files.rows} rows on both sides, but not the same` : counts
  const onlyFiles = firstMissing(a, b)
  const onlySql = firstMissing(b, a)
  const rows =
    onlyFiles !== null && onlySql !== null
      ? contrast(onlyFiles, onlySql)
      : onlyFiles !== null
        ? `only the files have ${cut(onlyFiles, 0)}`
        : onlySql !== null
          ? `only SQL has ${cut(onlySql, 0)}`
          : ''
  return [counts, rows].filter((part) => part !== '').join('; ')
}

/** The first of the sorted rows that the other list lacks, counting how often each occurs. */
function firstMissing(rows: readonly string[], others: readonly string[]): string | null {
  let at = 0
  for (const row of rows) {
    while (at < others.length && (others[at] as string) < row) at++
    if (others[at] !== row) return row
    at++
  }
  return null
}

/** Two texts from shortly before the place where they part. */
function contrast(files: string, sql: string): string {
  let same = 0
  while (same < files.length && files[same] === sql[same]) same++
  const from = Math.max(0, same - SHOWN / 2)
  return `files ${cut(files, from)}, SQL ${cut(sql, from)}`
}

function cut(text: string, from: number): string {
  const piece = text.slice(from, from + SHOWN)
  return `${from > 0 ? '…' : ''}${piece}${from + SHOWN < text.length ? '…' : ''}`
}
