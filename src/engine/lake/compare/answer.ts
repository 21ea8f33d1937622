/**
 * An answer as either side gives it: pages of rows in the side's own form. The form that makes rows of both sides comparable is only
 * made when somebody asks for it, so that timed runs never pay for the proof.
 */
import { setImmediate } from 'node:timers/promises'
import type { AnswerRow } from './answer-row.ts'
import { AnswerDigest } from './digest.ts'

export type { AnswerRow } from './answer-row.ts'

/** Stores may answer without ever waiting; this often the event loop gets a turn all the same, so that a stop is heard. */
export const TURN_MS = 100

export type AnswerPage = {
  readonly rows: number
  row(at: number): AnswerRow
}

export type Answer = AsyncIterable<AnswerPage>

/** A page over rows of any form. */
export function pageOf<Row>(rows: readonly Row[], row: (row: Row) => AnswerRow): AnswerPage {
  return { rows: rows.length, row: (at) => row(rows[at] as Row) }
}

/** Takes an answer to its end and counts its rows. This is what is timed. */
export async function drain(answer: Answer): Promise<number> {
  let rows = 0
  for await (const page of withTurns(answer)) rows += page.rows
  return rows
}

/** Takes an answer to its end and reduces it to a digest. Never timed. */
export async function digestOf(answer: Answer): Promise<AnswerDigest> {
  const digest = new AnswerDigest()
  for await (const row of rowsOf(answer)) digest.add(row)
  return digest
}

/** All rows in the form that both sides share. */
export async function* rowsOf(answer: Answer): AsyncGenerator<AnswerRow> {
  for await (const page of withTurns(answer)) for (let at = 0; at < page.rows; at++) yield page.row(at)
}

async function* withTurns(answer: Answer): Answer {
  let last = performance.now()
  for await (const page of answer) {
    yield page
    const now = performance.now()
    if (now - last < TURN_MS) continue
    await setImmediate()
    last = now
  }
}
