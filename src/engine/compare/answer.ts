/**
 * An answer as either side gives it: pages of rows in the side's own form. The text that makes rows of both sides comparable is only
 * made when somebody asks for it, so that timed runs never pay for the proof.
 */
import { setImmediate } from 'node:timers/promises'
import { AnswerDigest } from './digest.ts'

/** Stores may answer without ever waiting; this often the event loop gets a turn all the same, so that a stop is heard. */
const TURN_MS = 100

export type AnswerPage = {
  readonly rows: number
  /** One row in the spelling that both sides share. */
  text(row: number): string
}

export type Answer = AsyncIterable<AnswerPage>

/** A page over rows of any form. */
export function pageOf<Row>(rows: readonly Row[], text: (row: Row) => string): AnswerPage {
  return { rows: rows.length, text: (at) => text(rows[at] as Row) }
}

/** Takes an answer to its end and counts its rows. This is what is timed. */
export async function drain(answer: Answer): Promise<number> {
  let rows = 0
  for await (const page of withTurns(answer)) rows += page.rows
  return rows
}

/** Takes an answer to its end and reduces it to a digest. Never timed. */
export async function prove(answer: Answer): Promise<AnswerDigest> {
  const digest = new AnswerDigest()
  for await (const page of withTurns(answer)) {
    for (let row = 0; row < page.rows; row++) digest.add(page.text(row))
  }
  return digest
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
