/** Converts an operation to work for a queue. */
import { SluiceError } from '../../../shared/errors.ts'
import { writtenFile } from '../distribute.ts'
import type { NamedUrl } from '../../../model/share/own-url.ts'
import { storeIdentities, queueable, queuedRun } from '../queued-run.ts'
import { sharingOf, withStoreNames } from '../sharing.ts'
import {
  commandNameOf,
  canBeScheduled,
  destructionsOf,
  endlessField,
  confirmationName,
  withUrls,
} from '../../operations/facts.ts'
import type { Operation } from '../../operations/list.ts'
import { planDigest, trialOf, type Trial } from './plan-digest.ts'
import type { SharedWork } from '../../../model/share/work-port.ts'

/**
 * @param trial runs the dry run @throws SluiceError BAD_FLAG if the operation cannot be scheduled or shared, or uses a
 * database without a name
 */
export function scheduledWork(operation: Operation, known: readonly NamedUrl[], trial: Trial): SharedWork {
  const whole = withUrls(operation, (name) => known.find((store) => store.name === name)?.url ?? name)
  // An operation from a queue row is checked like one that was typed.
  refuseUnschedulable(whole)
  sharingOf(whole)
  const ready = queueable(whole, known)
  return {
    names: [...ready.folders, ...ready.stores.map(({ name }) => name)],
    operation: withStoreNames(ready.operation, ready.stores),
    writtenFile: async () => (await writtenFile(ready.operation))?.label ?? null,
    identities: async (warn) => await storeIdentities(ready, warn),
    confirmedMark: async () => await confirmedMark(ready.operation, trial),
    queued: (options) => queuedRun(ready, options),
  }
}

/** @throws SluiceError BAD_FLAG if the operation cannot be scheduled, or never ends: the next run would never start */
export function refuseUnschedulable(operation: Operation): void {
  if (!canBeScheduled(operation)) throw unschedulableError(operation)
  const endless = endlessField(operation)
  if (endless === null) return
  const [command, option] = [commandNameOf(operation.kind), `--${endless}`]
  throw new SluiceError(
    'BAD_FLAG',
    `${command} ${option} does not end by itself, so the next scheduled run would never start`,
    {
      hint: `remove ${option} from the scheduled command; to run ${command} ${option} without a schedule, start it once with --distributed`,
    },
  )
}

/** Error: the operation cannot be scheduled. Its hint lists all commands that can be scheduled. */
function unschedulableError({ kind }: Operation): SluiceError {
  const command = commandNameOf(kind)
  return new SluiceError('BAD_FLAG', `${command} cannot be scheduled${command === 'copy' ? ' without --again' : ''}`, {
    hint: 'these can be scheduled: partition ensure, archive run, archive verify, archive expire, import, batch-import, sync, validate, fsck, diff, copy --again, lifecycle status',
  })
}

async function confirmedMark(operation: Operation, trial: Trial): Promise<string | null> {
  if (destructionsOf(operation).length === 0) return null
  const events = await trialOf(operation, trial)
  const typed = confirmationName(operation, events)
  const said = new Map<string, unknown>(Object.entries(operation)).get('confirm')
  if (typed !== null && typed.name !== null && said !== typed.name) {
    throw new SluiceError(
      'MISSING_CONFIRM',
      `each scheduled run destroys ${typed.what}: the command needs a name as confirmation`,
      { hint: `add --confirm=${typed.name} to the command, or remove the option that destroys data` },
    )
  }
  return planDigest(operation, events)
}
