/** Records a run in the ledger of its target, from start to end. */
import { exitOfStop, type Interrupt } from '../../shared/abort.ts'
import type { Ending } from '../run/run-context.ts'
import type { RunLedger, NewRunRow } from './ledger/runs.ts'

/** Runs `body`, and records its start and end. @param runs null if nothing is written, and so nothing is recorded */
export async function recorded(
  runs: RunLedger | null,
  row: NewRunRow,
  interrupt: Interrupt,
  body: () => Promise<Ending>,
): Promise<Ending> {
  if (runs === null) return await body()
  await runs.start(row)
  try {
    const ending = await body()
    const status = ending.stopped === true ? 'stopped' : ending.error === undefined ? 'completed' : 'failed'
    const exitCode = ending.stopped === true ? exitOfStop(interrupt) : (ending.error?.exitCode ?? 0)
    await runs.finish(status, exitCode, ending.error?.message ?? null)
    return ending
  } catch (thrown) {
    await runs.finishFailed(thrown)
    throw thrown
  }
}
