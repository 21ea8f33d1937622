/** Looks which tables of the target hold rows, where the changes that were applied do not tell: the next start finds tables by it that others have emptied. */
import { EVERY_KEY } from '../../model/copy/range.ts'
import type { SourceView } from '../../stores/copy-port.ts'
import type { ChangeTable } from '../../stores/follow-port.ts'
import type { Lanes } from './lanes.ts'
import type { LoopParts } from './loop-parts.ts'

const LOOK_MS = 1000

export class HeldLook {
  readonly #parts: Pick<LoopParts, 'to' | 'tables' | 'clock' | 'run'>
  #at = -Infinity

  constructor(parts: Pick<LoopParts, 'to' | 'tables' | 'clock' | 'run'>) {
    this.#parts = parts
  }

  /** Now and then. @throws what the target throws */
  async look(lanes: Lanes): Promise<void> {
    if (this.#parts.clock.ticks() - this.#at >= LOOK_MS) await this.lookNow(lanes)
  }

  /** At once: where a run begins or ends. @throws what the target throws */
  async lookNow(lanes: Lanes): Promise<void> {
    const { to, tables, clock, run } = this.#parts
    this.#at = clock.ticks()
    if (!lanes.hasUnsure) return
    await lanes.written()
    const { unsure } = lanes
    if (unsure.length === 0) return
    await using there = await to.source(run.interrupt.abort)
    for (const at of unsure) {
      const target = tables[at]?.target
      if (target !== undefined) lanes.found(at, !(await isEmpty(there, target, run.interrupt.abort)))
    }
    await lanes.noteFound()
  }
}

/** Whether a table of the target holds no row. */
export async function isEmpty(
  view: SourceView,
  { table, identity }: Pick<ChangeTable, 'table' | 'identity'>,
  signal: AbortSignal,
): Promise<boolean> {
  return (await view.last({ ...table, key: identity }, EVERY_KEY, null, signal)) === null
}
