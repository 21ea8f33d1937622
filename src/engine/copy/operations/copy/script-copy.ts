/** `copy --settings`: a copy that emits a summary of its tables at the end, however it ends. */
import { openSourceStore } from '../../open-stores.ts'
import { openPatiently, patiently } from '../../workers/patience.ts'
import { sizedCopy } from '../../compat/script/auto-sizes.ts'
import { CopySummary } from '../../compat/script/summary.ts'
import type { CopyOperation } from './declaration.ts'
import type { Ending } from '../../../run/run-context.ts'
import type { Companion } from '../../companion.ts'
import type { CopyRun } from '../../copy-run.ts'
import { performCopy } from './perform.ts'

/** @throws as `copy` */
export async function scriptCopy(operation: CopyOperation, run: CopyRun, companion: Companion | null): Promise<Ending> {
  const summary = new CopySummary()
  const sized = operation.script?.auto === undefined ? operation : await bySize(operation, run)
  const emit: CopyRun['emit'] = (event) => {
    summary.event(event)
    run.emit(event)
  }
  try {
    return await performCopy(sized, { ...run, emit }, companion)
  } finally {
    const tables = summary.lines()
    if (tables.length > 0) run.emit({ type: 'copy.summary', tables })
  }
}

async function bySize(operation: CopyOperation, run: CopyRun): Promise<CopyOperation> {
  const { emit, interrupt } = run
  await using from = await openPatiently(() => openSourceStore(operation.from), { emit }, interrupt.stop)
  return await patiently(() => sizedCopy(operation, from, run), { emit }, interrupt.stop)
}
