/** Creates the alerts of a stream. Only the program that owns the stream passes them to the alerts of its run. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { StreamVerdict } from '../../../model/run/alert.ts'
import { asSluiceError } from '../../../shared/errors.ts'
import type { CopyOperation } from '../../copy/operations/copy/declaration.ts'
import { Alerts } from '../../run/alerts/alerts.ts'
import type { Run } from '../../run/run-context.ts'

/** Longest wait for the ledger: a target that does not answer must not delay the alert about it. */
const ANSWER_MS = 3000
const AGAIN_MS = 250

/**
 * Creates the alerts of a stream. Sinks get the requested tables in the form of `--tables`; the event itself concerns
 * the whole stream.
 * @param refuseLost throws LEASE_LOST if another program has the stream
 * @returns `sent` waits until the run has every verdict; call it before the stream is released
 */
export function openAlerts(
  operation: CopyOperation,
  { streamAlert }: Pick<Run, 'streamAlert'>,
  refuseLost: () => Promise<void>,
): {
  readonly alerts: Alerts | null
  readonly sent: () => Promise<void>
} {
  const { alert } = operation.follow ?? {}
  let last = Promise.resolve()
  const sent = async (): Promise<void> => await last
  if (alert === undefined || streamAlert === undefined) return { alerts: null, sent }
  const tables = operation.tables.join(',')
  const report = (verdict: StreamVerdict): void => {
    const owns = isOwner(refuseLost)
    last = last.then(async () => {
      if (await owns) streamAlert(verdict, tables)
    })
  }
  return { alerts: new Alerts(alert, report), sent }
}

/** False if another program has the stream: this one was suspended for longer than its lease. True if unknown. */
async function isOwner(refuseLost: () => Promise<void>): Promise<boolean> {
  const late = new AbortController()
  const timer = setTimeout(() => late.abort(), ANSWER_MS)
  const unknown = new Promise<boolean>((resolve) => {
    late.signal.addEventListener('abort', () => resolve(true), { once: true })
  })
  const known = async (): Promise<boolean> => {
    while (!late.signal.aborted) {
      try {
        await refuseLost()
        return true
      } catch (error) {
        if (asSluiceError(error).code === 'LEASE_LOST') return false
        await sleep(AGAIN_MS)
      }
    }
    return true
  }
  try {
    return await Promise.race([known(), unknown])
  } finally {
    clearTimeout(timer)
  }
}
