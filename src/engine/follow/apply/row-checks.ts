/** Checks which target tables hold rows, so that the next start detects tables that another program has emptied. */
import { EVERY_KEY } from '../../../model/copy/range.ts'
import type { SourceView } from '../../../model/copy/source-port.ts'
import type { ChangeTable } from '../../../model/follow/port.ts'
import type { ApplyWorkers } from './apply-workers.ts'
import type { LoopParts } from './loop-parts.ts'

const POLL_MS = 1000
/** A check takes at most 1/SHARE of the time: a schema may have a thousand empty tables. */
const SHARE = 50

export class RowChecks {
  readonly #parts: Pick<LoopParts, 'to' | 'tables' | 'clock' | 'run'>
  /** When the next check is due. */
  #due = -Infinity

  constructor(parts: Pick<LoopParts, 'to' | 'tables' | 'clock' | 'run'>) {
    this.#parts = parts
  }

  /** Checks if a check is due. @throws errors of the target */
  async checkIfDue(workers: ApplyWorkers): Promise<void> {
    if (this.#parts.clock.ticks() >= this.#due) await this.checkNow(workers)
  }

  /** Checks at once: at the start and the end of a run. @throws errors of the target */
  async checkNow(workers: ApplyWorkers): Promise<void> {
    const { to, tables, clock, run } = this.#parts
    const from = clock.ticks()
    this.#due = from + POLL_MS
    if (!workers.hasUnknownTables) return
    await workers.written()
    const { unknownTables } = workers
    if (unknownTables.length === 0) return
    await using there = await to.source(run.interrupt.abort)
    for (const at of unknownTables) {
      const target = tables[at]?.target
      if (target !== undefined) workers.noteRows(at, !(await isEmpty(there, target, run.interrupt.abort)))
    }
    await workers.storeRowStates()
    const now = clock.ticks()
    this.#due = now + Math.max(POLL_MS, (now - from) * SHARE)
  }
}

/** True if a table of the target holds no row. */
export async function isEmpty(
  view: SourceView,
  { table, identity }: Pick<ChangeTable, 'table' | 'identity'>,
  signal: AbortSignal,
): Promise<boolean> {
  return (await view.last({ ...table, key: identity }, EVERY_KEY, null, signal)) === null
}
