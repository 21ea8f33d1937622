/** How a cutover ends, within one database and between two. */
import { dec } from '../../../../model/run/event.ts'
import { SluiceError } from '../../../../shared/errors.ts'
import type { Gates } from '../../cutover/gates.ts'
import type { Ending } from '../../../run/run-context.ts'
import type { CopyOperation } from '../../../copy/operations/copy/declaration.ts'
import { goOn } from '../follow/hints.ts'
import type { CutoverOperation, CutoverRun } from './declaration.ts'

/** Of --dry-run: how the gates stand, before anything is compared. */
export function foreseen(gates: Gates): Ending {
  gates.set({ name: 'compared', state: 'waiting', detail: 'every row is compared when the command runs' })
  const count = (state: string): string => dec(gates.all.filter((gate) => gate.state === state).length)
  return { totals: { ok: count('ok'), waiting: count('waiting'), refused: count('refused') } }
}

/** Lets both tables change places once more: a run puts its ends behind it. */
export function wayBackCommand({ stream, revert }: Pick<CutoverOperation, 'stream' | 'revert'>): string {
  return `sluice cutover ${stream}${revert ? '' : ' --revert'}`
}

type Late = {
  readonly said: 'nothing has changed places' | 'nothing has been switched'
  readonly hint: string
  readonly tries: number
  readonly triesForMs: number
}

/** No try was good enough in time. @param ending of the stream, which is as it was */
export function late(ending: Ending, { said, hint, tries, triesForMs }: Late, { shut }: Gates): Ending {
  const why = shut === null ? `no try of ${tries} was good enough` : `gate ${shut.name}: ${shut.detail}`
  const error = new SluiceError('OUT_OF_TRIES', `${said} within ${triesForMs} ms; ${why}`, { hint: shut?.hint ?? hint })
  return { ...ending, stopped: true, error }
}

/**
 * Follows what keeps the other table equal from now on.
 * @param before what the switch itself ended with
 * @param copy of the reverse stream
 */
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
  // Of rows that were copied there is nothing to say.
  const { transactions, changes } = totals
  const told = {
    ...(transactions === undefined ? {} : { transactions }),
    ...(changes === undefined ? {} : { changes }),
  }
  return { ...ending, ...before, totals: { ...before.totals, ...told } }
}
