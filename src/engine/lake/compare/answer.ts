/**
 * An answer from the files or from SQL: pages of rows in the form of their source. Rows are converted to the common
 * form only on request, so that timed runs do not include the work of the proof.
 */
import { setImmediate } from 'node:timers/promises'
import type { AnswerRow } from './answer-row.ts'
import { AnswerDigest } from './digest.ts'

export type { AnswerRow } from './answer-row.ts'

/**
 * Longest time without a turn of the event loop, ms: a store may answer without waiting, and a stop must be noticed.
 */
export const LOOP_TURN_MS = 100

export type AnswerPage = {
  readonly rows: number
  row(at: number): AnswerRow
}

export type PagedAnswer = AsyncIterable<AnswerPage>

/** A page over rows of any form. */
export function answerPage<Row>(rows: readonly Row[], row: (row: Row) => AnswerRow): AnswerPage {
  return { rows: rows.length, row: (at) => row(rows[at] as Row) }
}

/** Reads an answer to its end and counts its rows. This is what is timed. */
export async function drain(answer: PagedAnswer): Promise<number> {
  let rows = 0
  for await (const page of withTurns(answer)) rows += page.rows
  return rows
}

/** Reads an answer to its end and returns its digest. Never timed. */
export async function answerDigest(answer: PagedAnswer): Promise<AnswerDigest> {
  const digest = new AnswerDigest()
  for await (const row of answerRows(answer)) digest.add(row)
  return digest
}

/** All rows in the common form. */
export async function* answerRows(answer: PagedAnswer): AsyncGenerator<AnswerRow> {
  for await (const page of withTurns(answer)) for (let at = 0; at < page.rows; at++) yield page.row(at)
}

async function* withTurns(answer: PagedAnswer): PagedAnswer {
  let last = performance.now()
  for await (const page of answer) {
    yield page
    const now = performance.now()
    if (now - last < LOOP_TURN_MS) continue
    await setImmediate()
    last = now
  }
}
