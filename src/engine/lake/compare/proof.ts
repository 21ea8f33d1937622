/**
 * Proves that two answers are the same, row by row. Digests need one pass over each answer. If they differ, the rows of
 * the groups that differ are read again and compared field by field, in as many passes as memory requires. The first
 * pass with a difference is the last one.
 */
import { answerRows, answerDigest, type PagedAnswer, type AnswerRow } from './answer.ts'
import { digestShare, type AnswerDigest } from './digest.ts'
import { leafColumns, type StructType } from '../../../delta/schema.ts'
import { partitionDifferences, statsComparer, type PartitionMap } from '../../../delta/values/same.ts'
import { compareExact, parseExactNumber } from '../../../model/run/exact-number.ts'
import { eachScalar } from '../../../model/lake/json-tokens.ts'
import { parseTimestamp } from '../../../model/lake/instant.ts'

/** Asks files or SQL again; the answer is valid while `body` runs. */
export type AskAgain = <T>(body: (answer: PagedAnswer) => Promise<T>) => Promise<T>

export type CompareProof = {
  readonly files: AnswerDigest
  readonly sql: AnswerDigest
  /** The difference in one line; null if there is none. */
  readonly difference: string | null
}

/** Rows of SQL in memory at the same time: about 100 MB of large rows. */
const HELD_ROWS = 100_000
/** Maximum number of differences that the result names. */
const NAMED = 3
/** Maximum characters of a value in a message. */
const SHOWN = 60

/** @param schema of the table: with it statistics and partition values are compared by the types of their columns */
export async function prove(files: AskAgain, sql: AskAgain, schema?: StructType): Promise<CompareProof> {
  const rowDifference = differenceOfRows(schema)
  const [mine, theirs] = [await files(answerDigest), await sql(answerDigest)]
  const difference = mine.hex() === theirs.hex() ? null : await differenceOf(mine, theirs, files, sql, rowDifference)
  return { files: mine, sql: theirs, difference }
}

async function differenceOf(
  mine: AnswerDigest,
  theirs: AnswerDigest,
  files: AskAgain,
  sql: AskAgain,
  rowDifference: RowDifference,
): Promise<string | null> {
  const unequal = mine.unequal(theirs)
  if (unequal.size === 0) return `${mine.rows} rows on both sides, but not the same`
  for (const shares of slicesOf(unequal)) {
    const held = await sql((answer) => loadRows(answer, shares))
    const found = await files((answer) => compare(answer, shares, held, rowDifference))
    if (found.total > 0) return differencesText(mine.rows, theirs.rows, found)
  }
  // Rows differ in spelling only, or the answer has changed between the passes.
  return mine.rows === theirs.rows ? null : differencesText(mine.rows, theirs.rows, { lines: [], total: 0 })
}

function* slicesOf(shares: ReadonlyMap<number, number>): Generator<ReadonlySet<number>> {
  let slice = new Set<number>()
  let rows = 0
  for (const [share, count] of shares) {
    if (slice.size > 0 && rows + count > HELD_ROWS) {
      yield slice
      slice = new Set()
      rows = 0
    }
    slice.add(share)
    rows += count
  }
  if (slice.size > 0) yield slice
}

type RowsInMemory = Map<string, AnswerRow[]>

async function loadRows(answer: PagedAnswer, shares: ReadonlySet<number>): Promise<RowsInMemory> {
  const held: RowsInMemory = new Map()
  for await (const row of answerRows(answer)) {
    if (!shares.has(digestShare(row.about))) continue
    const known = held.get(row.about)
    if (known === undefined) held.set(row.about, [row])
    else known.push(row)
  }
  return held
}

type Found = { readonly lines: string[]; total: number }

/**
 * Compares the rows of the files with the SQL rows in `held`, and removes SQL rows that have a counterpart.
 * @returns the differences; SQL rows that remain in `held` exist in SQL only
 */
async function compare(
  answer: PagedAnswer,
  shares: ReadonlySet<number>,
  held: RowsInMemory,
  rowDifference: RowDifference,
): Promise<Found> {
  const found: Found = { lines: [], total: 0 }
  const report = (line: string): void => {
    found.total++
    if (found.lines.length < NAMED) found.lines.push(line)
  }
  // Rows with the same subject and no equal row are reported only after all equal pairs have been removed.
  const unlike: AnswerRow[] = []
  for await (const row of answerRows(answer)) {
    if (!shares.has(digestShare(row.about))) continue
    const others = held.get(row.about) ?? []
    const alike = others.findIndex((other) => rowDifference(row, other) === null)
    if (alike === -1) unlike.push(row)
    else others.splice(alike, 1)
  }
  for (const row of unlike) {
    const other = held.get(row.about)?.shift()
    report(other === undefined ? `only the files have ${row.about}` : (rowDifference(row, other) ?? row.about))
  }
  for (const [about, rows] of held) for (let i = 0; i < rows.length; i++) report(`only SQL has ${about}`)
  return found
}

/** First field in which a row of the files and a row of SQL differ, as text; null if they are equal. */
type RowDifference = (files: AnswerRow, sql: AnswerRow) => string | null

function differenceOfRows(schema: StructType | undefined): RowDifference {
  const stats = statsComparer(schema === undefined ? [] : leafColumns(schema), 'kept')
  /** Difference of two values by their type; null if they are equal, undefined if the types do not decide it. */
  const byType = (name: string, mine: unknown, theirs: unknown): Contradiction | null | undefined => {
    if (schema === undefined || typeof mine !== 'string' || typeof theirs !== 'string') return undefined
    if (name !== 'stats' && name !== 'partitionValues') return undefined
    const apart =
      name === 'stats'
        ? stats(mine, theirs)
        : partitionDifferences(schema.fields, JSON.parse(mine) as PartitionMap, JSON.parse(theirs) as PartitionMap)
    const [first] = apart ?? []
    if (apart === null) return undefined
    return first === undefined ? null : { at: `.${first.what}`, files: first.one, sql: first.other }
  }
  return (files, sql) => {
    for (const [name, value] of Object.entries(files.fields)) {
      const [mine, theirs] = [JSON.stringify(value), JSON.stringify(sql.fields[name])]
      if (mine === theirs) continue
      const apart = byType(name, value, sql.fields[name])
      if (apart !== null) return contrast(`${files.about}: ${name}`, mine, theirs)
    }
    for (const [name, text] of Object.entries(files.loose ?? {})) {
      const other = sql.loose?.[name] ?? null
      if (text === null) continue
      if (other === null) return contrast(`${files.about}: ${name}`, text, MISSING)
      const typed = byType(name, text, other)
      const apart = typed === undefined ? contradiction(text, other, true) : typed
      if (apart !== null) return contrast(`${files.about}: ${name}${apart.at}`, apart.files, apart.sql)
    }
    return null
  }
}

/** Both texts, from shortly before the first difference. */
function contrast(what: string, files: string, sql: string): string {
  let same = 0
  while (same < files.length && files[same] === sql[same]) same++
  const from = Math.max(files.length, sql.length) <= SHOWN ? 0 : Math.max(0, same - SHOWN / 2)
  return `${what} is ${excerptFrom(files, from)} in the files, ${excerptFrom(sql, from)} in SQL`
}

function excerptFrom(text: string, from: number): string {
  const piece = text.slice(from, from + SHOWN)
  return `${from > 0 ? '…' : ''}${piece}${from + SHOWN < text.length ? '…' : ''}`
}

function differencesText(files: number, sql: number, { lines, total }: Found): string {
  return [
    ...(files === sql ? [] : [`files give ${files} rows, SQL ${sql}`]),
    ...lines,
    ...(total > lines.length && lines.length > 0 ? [`and ${total - lines.length} more`] : []),
  ].join('; ')
}

// Compares JSON texts by value: a file's statistics in a commit with its statistics in a checkpoint, whose writer may
// have reformatted or shortened them. Numbers are compared with all their digits, times as instants.

const WHOLE = /^-?\d+$/
/** Significant digits that identify any double. */
const DIGITS_OF_DOUBLE = 17
const TIME = /^\d{4}-\d{2}-\d{2}[T ]\d{2}:/

/** Text in place of a value that the files or SQL lack. */
const MISSING = 'missing'

type Contradiction = { readonly at: string; readonly files: string; readonly sql: string }

/**
 * First leaf that both texts have with different values; null if there is none. A text that is not JSON is one leaf.
 * @param isKept true if a leaf that SQL lacks is a contradiction, too
 */
export function contradiction(files: string, sql: string, isKept = false): Contradiction | null {
  if (files === sql) return null
  const [mine, theirs] = [leavesOf(files), leavesOf(sql)]
  if (mine === null || theirs === null) return { at: '', files, sql }
  for (const [at, value] of mine) {
    const other = theirs.get(at)
    if (other === undefined ? isKept : !isSame(value, other)) return { at, files: value, sql: other ?? MISSING }
  }
  return null
}

/** All scalars except null, as written, by their path; null if the text is not JSON. */
function leavesOf(text: string): ReadonlyMap<string, string> | null {
  try {
    JSON.parse(text)
  } catch {
    return null
  }
  const leaves = new Map<string, string>()
  eachScalar(text, (path, token) => {
    if (token !== 'null')
      leaves.set(path.map((part) => (typeof part === 'number' ? `[${part}]` : `.${part}`)).join(''), token)
  })
  return leaves
}

function isSame(a: string, b: string): boolean {
  if (a === b) return true
  if (a.startsWith('"') && b.startsWith('"')) return isSameText(JSON.parse(a) as string, JSON.parse(b) as string)
  const [left, right] = [parseExactNumber(a), parseExactNumber(b)]
  if (left === null || right === null) return false
  if (compareExact(left, right) === 0) return true
  // Some writers convert decimals to double for a checkpoint: at most this many digits survive.
  const fraction = !WHOLE.test(a) || !WHOLE.test(b)
  return fraction && Math.min(digitsOf(a), digitsOf(b)) <= DIGITS_OF_DOUBLE && Number(a) === Number(b)
}

function isSameText(a: string, b: string): boolean {
  if (a === b) return true
  const [left, right] = [a, b].map((text) => (TIME.test(text) ? parseTimestamp(text) : null))
  return left != null && right != null && left.micros === right.micros
}

function digitsOf(number: string): number {
  return number
    .replace(/[eE].*$/, '')
    .replaceAll(/\D/g, '')
    .replace(/^0+/, '').length
}
