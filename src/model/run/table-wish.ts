/** What is asked of single tables of a run, and what stands of it after a number of wishes. */

/** What is asked of one table of a copy, or of one of its chunks, while it runs. */
export type TableWish = {
  /** `pause`: nothing of it begins until `resume`. `skip`: this run leaves it out. `retry`: what failed of it is tried again. */
  readonly act: 'pause' | 'resume' | 'skip' | 'retry'
  readonly table: string
  /** Number of the chunk; all of the table when absent. */
  readonly chunk?: string
}

/** @param text `TABLE`, or `TABLE#12` for one chunk of it */
export function tableWish(act: TableWish['act'], text: string): TableWish {
  const [, table = text, chunk] = /^(.+)#(\d{1,15})$/s.exec(text) ?? []
  return { act, table, ...(chunk === undefined ? {} : { chunk }) }
}

/** Why nothing of a table, or of a chunk, may begin: until it is resumed, or for the rest of this run. */
export type Held = 'paused' | 'skipped'

/** A table that is held back, or one chunk of it. */
export type TableHold = { readonly table: string; readonly chunk?: string; readonly held: Held }

/** What failed is to be tried again. @property at ms since the epoch, by the clock of the queue's database */
export type TableRetry = { readonly table: string; readonly chunk?: string; readonly at: number }

/** Where a table stands after wishes that were given one after the other: as `Steering` heeds them. */
export type TableOrders = { readonly holds: readonly TableHold[]; readonly retries: readonly TableRetry[] }

/**
 * The orders after one more wish. Of a table that is resumed chunks that were left out one by one stay left out.
 * @param at when it was given, ms since the epoch by the clock of the queue's database
 */
export function ordersAfter({ holds, retries }: TableOrders, wish: TableWish, at: number): TableOrders {
  const { act, table, chunk } = wish
  const one = { table, ...(chunk === undefined ? {} : { chunk }) }
  const others = holds.filter((hold) => !isSame(hold, one))
  if (act === 'pause') return { holds: [...others, { ...one, held: 'paused' }], retries }
  if (act === 'skip') return { holds: [...others, { ...one, held: 'skipped' }], retries }
  const left = chunk === undefined ? others.filter((hold) => hold.table !== table || hold.held === 'skipped') : others
  if (act === 'resume') return { holds: left, retries }
  return { holds: left, retries: [...retries.filter((retry) => !isSame(retry, one)), { ...one, at }] }
}

/** Whether both are about the same table, or the same chunk of it. */
export function isSame(
  a: { readonly table: string; readonly chunk?: string },
  b: { readonly table: string; readonly chunk?: string },
): boolean {
  return a.table === b.table && a.chunk === b.chunk
}
