/** Steering requests for single tables of a run, and their combined effect. */

/** A steering request for one table of a copy, or one of its chunks. */
export type TableRequest = {
  /**
   * `pause`: no work of the table or chunk begins until `resume`. `skip`: it is left out of this run. `retry`: failed
   * parts are tried again.
   */
  readonly act: 'pause' | 'resume' | 'skip' | 'retry'
  readonly table: string
  /** Number of the chunk; the whole table if absent. */
  readonly chunk?: string
}

/** @param text `TABLE`, or `TABLE#12` for one chunk of it */
export function parseTableRequest(act: TableRequest['act'], text: string): TableRequest {
  const [, table = text, chunk] = /^(.+)#(\d{1,15})$/s.exec(text) ?? []
  return { act, table, ...(chunk === undefined ? {} : { chunk }) }
}

/** Why no work of a table or chunk begins. `paused`: until it is resumed. `skipped`: until the end of this run. */
export type HeldState = 'paused' | 'skipped'

/** A paused or skipped table, or chunk of a table. */
export type TableHold = { readonly table: string; readonly chunk?: string; readonly held: HeldState }

/** Failed parts are to be retried. @property at ms since the epoch, by the clock of the queue's database */
export type TableRetry = { readonly table: string; readonly chunk?: string; readonly at: number }

/** State of a table after successive requests, as `Steering` applies them. */
export type TableOrders = { readonly holds: readonly TableHold[]; readonly retries: readonly TableRetry[] }

/**
 * State after one more request. Resuming a table does not resume chunks that were skipped individually.
 * @param at time of the request, ms since the epoch by the clock of the queue's database
 */
export function ordersAfter({ holds, retries }: TableOrders, options: TableRequest, at: number): TableOrders {
  const { act, table, chunk } = options
  const one = { table, ...(chunk === undefined ? {} : { chunk }) }
  const others = holds.filter((hold) => !isSameTable(hold, one))
  if (act === 'pause') return { holds: [...others, { ...one, held: 'paused' }], retries }
  if (act === 'skip') return { holds: [...others, { ...one, held: 'skipped' }], retries }
  const left = chunk === undefined ? others.filter((hold) => hold.table !== table || hold.held === 'skipped') : others
  if (act === 'resume') return { holds: left, retries }
  return { holds: left, retries: [...retries.filter((retry) => !isSameTable(retry, one)), { ...one, at }] }
}

/** True if both name the same table, or the same chunk of it. */
export function isSameTable(
  a: { readonly table: string; readonly chunk?: string },
  b: { readonly table: string; readonly chunk?: string },
): boolean {
  return a.table === b.table && a.chunk === b.chunk
}
