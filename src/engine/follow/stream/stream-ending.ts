/** Ending of a run that has applied a stream. */
import { dec } from '../../../model/run/event.ts'
import { SluiceError } from '../../../shared/errors.ts'
import { redactUrl } from '../../../shared/redact.ts'
import { shellQuote } from '../../../shared/shell.ts'
import type { ChangeSource } from '../../../model/follow/port.ts'
import type { Alerts } from '../../run/alerts/alerts.ts'
import type { Ending } from '../../run/run-context.ts'
import type { LoopEnd } from '../apply/loop-parts.ts'
import { changesOf } from '../progress/progress.ts'
import type { TableStates } from '../progress/table-states.ts'

type AppliedStream = {
  readonly stream: string
  /** URL of the target. */
  readonly to: string
  readonly states: TableStates
  readonly changes: Pick<ChangeSource, 'text'>
  readonly alerts: Alerts | null
  /** Error of an index or constraint that could not be built; null if all were. */
  readonly unbuilt: SluiceError | null
}

/** @param copied ending of the copy of the stream's tables */
export function endingOf(copied: Ending, { why, row, applied, provedAt }: LoopEnd, followed: AppliedStream): Ending {
  const { stream, to, states, changes, alerts, unbuilt } = followed
  const totals = {
    ...copied.totals,
    live: dec(states.list.filter((state) => state === 'live').length),
    transactions: dec(row.transactions),
    changes: dec(changesOf(row.counts)),
  }
  const upTo = changes.text(applied)
  const notChecked =
    provedAt === null
      ? `changes up to ${upTo} are applied${states.isPartlyApplied ? ' to the copied rows' : ''}; changed rows were not compared`
      : provedAt === upTo
        ? `every row was found equal as of ${provedAt}`
        : `every row was found equal as of ${provedAt}; later changes, up to ${upTo}, are applied but not compared`
  const ending: Ending = { ...copied, totals, notChecked }
  if (why === 'reached' && states.isPartlyApplied) {
    const message = `changes up to ${upTo} are applied to the copied rows; the rest is not copied yet`
    const hint = `run sluice follow ${stream} to copy the rest and then follow`
    const next = `sluice follow ${stream} --to ${shellQuote(redactUrl(to))}`
    return { ...ending, stopped: true, error: new SluiceError('STOPPED', message, { hint }), next }
  }
  if (why === 'stopped') return { ...ending, stopped: true }
  if (why === 'alerted' && alerts !== null) return { ...ending, error: alertExitError(alerts) }
  return unbuilt === null ? ending : { ...ending, error: unbuilt }
}

/** Error of a run that `--alert-exit` has ended. */
export function alertExitError(alerts: Alerts): SluiceError {
  return new SluiceError('ALERTED', `an alert ended the run: ${alerts.raised.join(', ')}`, {
    hint: 'nothing is lost, slot and position are kept: run the same command to resume',
  })
}
