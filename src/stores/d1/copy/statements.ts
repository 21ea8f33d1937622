/** Batches that run exactly once: the first statement fails if another worker owns the chunk, or if it has run. */
import { ValueTaken } from '../../common/refusals.ts'
import { SluiceError } from '../../../shared/errors.ts'
import type { Statement } from '../../../model/run/ledger-port.ts'
import type { D1Client, D1Result, D1Statement } from '../client.ts'
import { d1Error, whereOf } from '../errors.ts'
import { D1Failure } from '../failure.ts'

/** How long a batch is sent again while its answers get lost, in milliseconds. */
export const RESEND_MS = 60_000

/** A batch that must run exactly once. */
export type OnceBatch = {
  /** Query that returns a row as long as the statements may run. */
  readonly guard: Statement
  readonly statements: readonly D1Statement[]
  /** Query that returns a row once the statements have run. */
  readonly landed: Statement
}

export type D1WriteOutcome =
  | { readonly kind: 'done'; readonly results: readonly D1Result[] }
  /** An earlier attempt has run, and its answer got lost. */
  | { readonly kind: 'landed' }
  /** The guard returns no row any more: another worker has the chunk. */
  | { readonly kind: 'fenced' }

/** Statement for the API: bigints are sent as texts, which numeric columns convert to numbers. */
export function d1Statement({ sql, parameters }: Statement): D1Statement {
  return {
    sql,
    params: parameters.map((value) => {
      if (typeof value === 'bigint') return value.toString()
      if (value !== null && typeof value === 'object') throw new Error('D1 accepts bytes only as hexadecimal digits')
      return value
    }),
  }
}

/** Fails its batch if `guard` returns no row: only an error rolls back a request. */
export function d1Guard(guard: Statement): D1Statement {
  const { sql, params } = d1Statement(guard)
  return { sql: `SELECT CASE WHEN EXISTS(${sql}) THEN 1 ELSE json('fenced') END`, params }
}

/** True if a guard may have failed a batch. */
export function isFenced(failure: unknown): boolean {
  return failure instanceof D1Failure && failure.settled && /malformed JSON/i.test(failure.message)
}

/** True if a foreign key has refused a batch. */
export function isForeignKey(failure: unknown): boolean {
  return failure instanceof D1Failure && failure.settled && /FOREIGN KEY constraint failed/.test(failure.message)
}

/**
 * Runs a batch exactly once, however often it has to be sent. A delayed attempt cannot run after another one: the first
 * to run changes what the guard reads.
 * @throws D1Failure for errors in the statements themselves; SluiceError CONNECTION_LOST …
 */
export async function runOnce(
  client: D1Client,
  { guard, statements, landed }: OnceBatch,
  signal: AbortSignal,
): Promise<D1WriteOutcome> {
  const batch = [d1Guard(guard), ...statements]
  const deadline = performance.now() + RESEND_MS
  for (let attempt = 1; ; attempt++) {
    let failure: D1Failure
    try {
      const [, ...results] = await client.once(batch, { signal })
      return { kind: 'done', results }
    } catch (error) {
      if (!(error instanceof D1Failure)) throw error
      failure = error
    }
    const refused = isFenced(failure)
    if (failure.settled && !refused) throw failure
    const [has, holds] = await ask(client, [landed, guard], signal)
    if (has) return { kind: 'landed' }
    if (!holds) return { kind: 'fenced' }
    // The guard still returns a row, so it did not fail the batch: broken JSON in the rows gives the same error.
    if (refused || performance.now() > deadline) throw failure
    await client.pause(failure, attempt, deadline - performance.now(), signal)
  }
}

/** Runs queries in one snapshot. @returns for each query, true if it returns a row */
async function ask(
  client: D1Client,
  questions: readonly Statement[],
  signal: AbortSignal,
): Promise<readonly boolean[]> {
  const results = await client.read(questions.map(d1Statement), { signal, urgent: true })
  return results.map(({ rows }) => rows.length > 0)
}

/** Error for a chunk that another worker has. */
export function leaseLost(client: D1Client, cause?: unknown): SluiceError {
  return new SluiceError('LEASE_LOST', 'another worker has taken over this chunk', {
    where: client.settings.label,
    reason: 'its lease expired while this worker wrote it; this batch was not stored',
    cause,
  })
}

/** @param table for messages @returns what to throw for a failure of a statement that writes rows */
export function d1WriteError(thrown: unknown, client: D1Client, table: string): unknown {
  if (!(thrown instanceof D1Failure) || thrown.kind !== 'sql') return d1Error(thrown, client.settings)
  if (/not authorized/i.test(thrown.message)) return d1Error(thrown, client.settings)
  const said = plainMessage(thrown.message)
  const details = { where: `${table}: ${whereOf(thrown, client.settings)}`, cause: thrown }
  if (/^no such|has no column|too many columns|statement too long|syntax error|incomplete input/i.test(said)) {
    return new SluiceError('TABLE_REFUSED', said, {
      ...details,
      hint: 'run the same command again: the table may have changed since',
    })
  }
  if (said.startsWith('UNIQUE constraint failed')) return new ValueTaken(said, details)
  return new SluiceError('ROW_REFUSED', said, details)
}

/** D1's message without the SQLite code at its end. */
export function plainMessage(message: string): string {
  return message.replace(/^D1_ERROR: /, '').replace(/: SQLITE_[A-Z_]+(?: \(extended: [A-Z_]+\))?$/, '')
}
