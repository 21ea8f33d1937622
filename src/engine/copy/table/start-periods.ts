/** Context of a table that is copied period by period. */
import type { TablePlan } from '../../../model/copy/plan.ts'
import type { CopyStore } from '../../../model/copy/port.ts'
import type { TableContext } from './context.ts'
import { targetRange, targetRequest } from '../diff/sides.ts'
import { countRanges, keysRequest } from '../look/counts.ts'
import { PeriodProgress } from './period-progress.ts'
import type { KeyRange } from '../plan/covered.ts'
import { onSide } from '../sides.ts'
import type { CopyContext } from './copy-context.ts'

/** @param name of the source's table, for events @param store the target */
export function periodsToStart(
  name: string,
  plan: TablePlan,
  store: CopyStore,
  { operation, run }: CopyContext,
): Pick<TableContext, 'periods'> {
  const options = operation.periods
  if (options === undefined) return {}
  const proof = operation.verify === 'count' ? 'count' : 'chunk'
  const { abort: signal } = run.interrupt
  const request = keysRequest(plan, targetRequest({ plan }, { by: 'all' }))
  const count = (range: KeyRange): Promise<bigint> =>
    onSide('target', async () => {
      await using view = await store.source(signal)
      return (await countRanges(view, request, [targetRange({ plan }, range)], signal))[0] ?? 0n
    })
  return {
    periods: {
      options,
      progress: new PeriodProgress(name, options, { emit: run.emit, clock: run.clock, proof, count }),
    },
  }
}
