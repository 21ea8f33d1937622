/**
 * Prevents a stream and an archive run from working on one table at the same time. An archive run commits its lease of
 * a partition, checks for streams, and then moves rows. A stream commits a row in the ledger of the target, and a
 * publication or triggers at the source; then it checks for leases, and copies. Each commits before its check, so at
 * least one detects the other: the archive run is refused, the stream waits. The run never waits: there is no deadlock.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { workedPartitions, type WorkedPartition } from '../ledger/work-leases.ts'
import { tableText, type TableName } from '../../model/copy/column-type.ts'
import { throwIfAborted } from '../../shared/abort.ts'
import { SluiceError, type ErrorCode } from '../../shared/errors.ts'
import type { CopyStore } from '../../model/copy/port.ts'
import { namesNow } from './find-archive.ts'
import { Ledgers } from './find-ledger.ts'
import type { StreamBegun } from '../../engine/run/run-context.ts'

const POLL_MS = 1000

type Waiting = Pick<StreamBegun, 'run' | 'stopping'>

/**
 * Returns when no program works on an archived partition of these tables, in source or target. A lease that is not
 * renewed expires after 30 s.
 * @throws the reason of the signal
 */
export async function waitForArchives({ from, to, ledger, ...waiting }: StreamBegun): Promise<void> {
  await waitAt(from.store, () => Ledgers.open(from.store, false), from.tables, waiting)
  await waitAt(to.store, () => Ledgers.openReading(to.store, ledger), to.tables, waiting)
}

/** Errors of an unreadable archive ledger. The stream starts anyway: archive runs check each partition for streams. */
const UNREADABLE: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'LEDGER_DAMAGED',
  'LEDGER_NEWER',
  'SOURCE_DENIED',
  'TABLE_REFUSED',
  'TARGET_DENIED',
])

async function waitAt(
  store: CopyStore,
  open: () => Promise<Ledgers>,
  tables: readonly TableName[],
  { run, stopping }: Waiting,
): Promise<void> {
  try {
    await using ledgers = await open()
    for (let reported = ''; ;) {
      const worked = await workedOf({ store, ledgers }, tables, run)
      if (worked === null) return
      const { holder, label, table } = worked
      const message = `the program ${holder.pid ?? '?'} on ${holder.host ?? 'another machine'} archives or restores rows of ${label} of ${tableText(table)}; waiting until it has ended`
      if (message !== reported) run.emit({ type: 'log', level: 'note', message })
      reported = message
      await sleep(POLL_MS, undefined, { signal: stopping }).catch(() => undefined)
      throwIfAborted(stopping)
    }
  } catch (error) {
    if (!(error instanceof SluiceError) || !UNREADABLE.has(error.code)) throw error
    const message = `it is unknown whether an archive run of ${store.label} works on these tables: ${error.message}`
    run.emit({ type: 'log', level: 'warn', message })
  }
}

async function workedOf(
  { store, ledgers }: { readonly store: CopyStore; readonly ledgers: Ledgers },
  tables: readonly TableName[],
  { owner, interrupt }: Waiting['run'],
): Promise<WorkedPartition | null> {
  const worked: WorkedPartition[] = []
  for (const database of await ledgers.all(interrupt.abort)) worked.push(...(await workedPartitions(database, owner)))
  if (worked.length === 0) return null
  // A table may have been renamed since it was archived.
  const names = await namesNow({ store, ledgers }, await ledgers.tables(interrupt.abort), interrupt.abort)
  const isMeant = ({ table, native }: WorkedPartition): boolean => {
    const now = names.get(tableText(table)) ?? table
    return tables.some((one) => isSame(one, now) || isSame(one, table) || (native !== null && isSame(one, native)))
  }
  return worked.find(isMeant) ?? null
}

/** A name without a schema matches any schema. */
function isSame(a: TableName, b: TableName): boolean {
  return a.name === b.name && (a.schema === undefined || b.schema === undefined || a.schema === b.schema)
}
