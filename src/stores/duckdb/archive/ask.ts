/** Runs one statement of a `Desk`; its result is complete before the first row is returned. */
import { otherCount } from '../session.ts'
import { throwIfAborted } from '../../../shared/abort.ts'
import type { SqlRow } from '../../../model/run/sql-port.ts'
import { toDuckdb } from '../sql-values.ts'
import type { Desk } from './desk.ts'

/** @returns rows as texts @throws DuckDB's error, the signal's reason */
export async function asked(
  desk: Desk,
  sql: string,
  signal: AbortSignal,
  parameters: SqlRow = [],
): Promise<readonly (readonly (string | null)[])[]> {
  const result = await interruptibleDuckdb(desk, signal, () => desk.connection.run(sql, parameters.map(toDuckdb)))
  const rows = await result.getRows()
  if (rows.length !== result.rowCount) throw otherCount(result.rowCount, rows.length)
  return rows.map((row) => row.map((value) => (value === null ? null : String(value))))
}

/** Runs a statement that an abort interrupts. */
export async function interruptibleDuckdb<T>(
  { connection }: Pick<Desk, 'connection'>,
  signal: AbortSignal,
  run: () => Promise<T>,
): Promise<T> {
  throwIfAborted(signal)
  const stop = (): void => connection.interrupt()
  signal.addEventListener('abort', stop, { once: true })
  try {
    return await run()
  } catch (error) {
    throwIfAborted(signal)
    throw error
  } finally {
    signal.removeEventListener('abort', stop)
  }
}
