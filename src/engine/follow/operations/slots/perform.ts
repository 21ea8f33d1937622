/** `slots`: lists the replication slots of a source and the log that each retains; removes one. */
import { dec } from '../../../../model/run/event.ts'
import { SluiceError } from '../../../../shared/errors.ts'
import { shellQuote } from '../../../../shared/shell.ts'
import type { ChangeSource, ReplicationSlotLine } from '../../../../model/follow/port.ts'
import { openSourceStore } from '../../../copy/open-stores.ts'
import { onSide } from '../../../copy/sides.ts'
import type { Ending, RunOf } from '../../../run/run-context.ts'
import type { slots, SlotsOperation } from './declaration.ts'

type SlotsRun = RunOf<typeof slots>

/** Name of a slot of sluice: `sluice_` and the id of the run that began the stream. */
const SLOT_NAME = /^sluice_(\d+)$/

/** @throws SluiceError NOT_FOLLOWABLE for a store without slots, BAD_FLAG, MISSING_CONFIRM, SLOT_ACTIVE */
export async function performSlots(operation: SlotsOperation, run: SlotsRun): Promise<Ending> {
  const { from, drop, dryRun } = operation
  await using store = await openSourceStore(from)
  const changes = store.offers.slotChanges?.()
  if (changes === undefined) {
    const notes = store.offers.triggerChanges !== undefined
    throw new SluiceError('NOT_FOLLOWABLE', `${store.label} has no replication slots`, {
      ...(notes
        ? {
            reason: `a stream from ${store.system} uses triggers and logs, which sluice follow RUN --end removes`,
          }
        : {}),
      hint: 'name a PostgreSQL database with --from',
    })
  }
  const { abort: signal } = run.interrupt
  const all = await onSide('source', () => changes.slots(signal))
  if (drop === undefined) {
    for (const slot of all) report(slot, run)
    return { totals: { slots: dec(all.length) } }
  }
  const slot = all.find(({ name }) => name === drop)
  if (slot === undefined) throw unknownSlot(drop)
  report(slot, run)
  await refuseOther(slot, changes, signal)
  if (dryRun) return { totals: { slots: '1', removed: '0' } }
  refuseUnconfirmed(operation, drop)
  await onSide('source', () => changes.end(drop, signal))
  run.emit({ type: 'log', level: 'note', message: `replication slot ${drop} is removed` })
  return { totals: { slots: '1', removed: '1' } }
}

function report({ name, heldBytes, safeBytes, ...slot }: ReplicationSlotLine, run: SlotsRun): void {
  const ofRun = SLOT_NAME.exec(name)?.[1]
  run.emit({
    type: 'slot',
    slot: name,
    plugin: slot.plugin,
    database: slot.database,
    active: slot.active,
    status: slot.status,
    held: heldBytes === null ? null : dec(heldBytes),
    safe: safeBytes === null ? null : dec(safeBytes),
    confirmed: slot.confirmed,
    ...(ofRun === undefined ? {} : { run: ofRun }),
  })
}

async function refuseOther(
  { name, active, ours, database }: ReplicationSlotLine,
  changes: ChangeSource,
  signal: AbortSignal,
): Promise<void> {
  if (active) {
    throw new SluiceError('SLOT_ACTIVE', `replication slot ${name} is in use`, {
      hint: 'end the program that reads it, then run the same command again',
    })
  }
  const here = await onSide('source', () => changes.database(signal))
  if (!ours || database === null || database === here) return
  throw new SluiceError(
    'BAD_FLAG',
    `replication slot ${name} belongs to database ${database}, but --from names ${here}`,
    {
      hint: `name database ${database} with --from; the publication of the slot is there too`,
    },
  )
}

function refuseUnconfirmed({ confirm }: SlotsOperation, drop: string): void {
  if (confirm === drop) return
  throw new SluiceError(
    'MISSING_CONFIRM',
    `--drop removes replication slot ${drop} permanently: its name is needed as confirmation`,
    {
      hint: `add --confirm=${shellQuote(drop)}, or --dry-run to see what would be removed`,
    },
  )
}

function unknownSlot(name: string): SluiceError {
  return new SluiceError('BAD_FLAG', `there is no replication slot ${name}`, {
    hint: 'to list the replication slots, use sluice slots --from URL',
  })
}
