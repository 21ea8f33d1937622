/** How a cutover ends, within one database and between two. */
import { dec } from '../../../../model/run/event.ts'
import { SluiceError } from '../../../../shared/errors.ts'
import type { Gates } from '../../cutover/gates.ts'
import type { Ending } from '../../../run/run-context.ts'
import type { CopyOperation } from '../../../copy/operations/copy/declaration.ts'
import { goOn } from '../follow/hints.ts'
import type { CutoverOperation, CutoverRun } from './declaration.ts'

/** Result of --dry-run: state of the cutover checks before any comparison. */
export function foreseen(gates: Gates): Ending {
  gates.set({ name: 'compared', state: 'waiting', detail: 'every row is compared when the command runs' })
  const count = (state: string): string => dec(gates.all.filter((gate) => gate.state === state).length)
  return { totals: { ok: count('ok'), waiting: count('waiting'), refused: count('refused') } }
}

/** Command for the opposite direction; without the URLs, which the run adds. */
export function wayBackCommand({ stream, revert }: Pick<CutoverOperation, 'stream' | 'revert'>): string {
  return `sluice cutover ${stream}${revert ? '' : ' --revert'}`
}

type Late = {
  readonly said: 'no table was exchanged' | 'the cutover was not made'
  readonly hint: string
  readonly tries: number
  readonly triesForMs: number
}

/** Result if no attempt succeeded in time. @param ending of the stream's run */
export function late(ending: Ending, { said, hint, tries, triesForMs }: Late, { shut }: Gates): Ending {
  const why = shut === null ? `none of ${tries} tries succeeded` : `cutover check ${shut.name}: ${shut.detail}`
  const error = new SluiceError('OUT_OF_TRIES', `${said} within ${triesForMs} ms; ${why}`, { hint: shut?.hint ?? hint })
  return { ...ending, stopped: true, error }
}

/** Runs the stream that keeps the other table equal. @param before ending of the cutover @param copy of the stream */
export async function followedBack(
  before: Ending,
  copy: CopyOperation,
  stream: string,
  run: CutoverRun,
): Promise<Ending> {
  const {
    totals,
    proof: _proof,
    notChecked: _notChecked,
    leftBehind: _leftBehind,
    ...ending
  } = await goOn(copy, run, {
    stream,
  })
  // Leaves out totals of copied rows: none were copied.
  const { transactions, changes } = totals
  const reported = {
    ...(transactions === undefined ? {} : { transactions }),
    ...(changes === undefined ? {} : { changes }),
  }
  return { ...ending, ...before, totals: { ...before.totals, ...reported } }
}
