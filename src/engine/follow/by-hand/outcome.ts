/** Waits until a stream has read the requested rows again, and reports the result. */
import { setTimeout as sleep } from 'node:timers/promises'
import { dec } from '../../../model/run/event.ts'
import type { RowKey } from '../../../model/copy/row-key.ts'
import { throwIfAborted } from '../../../shared/abort.ts'
import type { LedgerDatabase } from '../../../model/run/ledger-port.ts'
import { askRun } from '../../copy/workers/ask-run.ts'
import type { CopyRun } from '../../copy/copy-run.ts'
import { repairedSince } from '../../copy/ledger/repairs.ts'
import type { TableKey } from '../../copy/ledger/owner.ts'
import type { FollowRowEvent } from '../../../model/follow/events.ts'
import type { RequestedReread } from '../../copy/ledger/rereads.ts'
import type { StreamLedger } from '../../copy/ledger/streams.ts'
import { namedStream } from '../stream/named-stream.ts'
import { refuseInactiveStream } from './compare-named.ts'

const POLL_MS = 250
/** After this time (ms), report why the rows are not read yet. */
const LONG_MS = 3000
/** Interval between these reports, ms. */
const ASK_MS = 5000

/** Rows that a command asked the stream to read again, and for which it waits. */
export type AwaitedRows = {
  readonly stream: string
  readonly table: TableKey
  readonly nominated: RequestedReread
}

/**
 * Waits until the apply worker has read the rows and the table is live again.
 * @param label of the target
 * @returns `free` if no running program has the stream, so that no program would read the rows
 * @throws SluiceError STREAM_HALTED, SLOT_LOST if the stream halts meanwhile
 */
export async function waitUntilRead(
  { stream, table, nominated }: AwaitedRows,
  ledger: StreamLedger,
  label: string,
  run: CopyRun,
): Promise<'read' | 'free' | 'stopped'> {
  let asked = run.clock.ticks() + LONG_MS - ASK_MS
  let said = ''
  for (let reported = false; ; reported = true) {
    throwIfAborted(run.interrupt.abort)
    const waiting = await ledger.rereads.stillWaiting(stream, table)
    if (!nominated.ids.some((id) => waiting.has(id)) && (await isLive(ledger.database, stream, table))) return 'read'
    refuseInactiveStream(await namedStream(ledger.database, stream, label), run)
    if ((await ledger.lease.currentOwner(stream)) === null) return 'free'
    if (run.interrupt.stop.aborted) return 'stopped'
    const message =
      'waiting until the program that runs the stream has read these rows; it does so between two transactions'
    if (!reported) run.emit({ type: 'log', level: 'note', message })
    if (run.clock.ticks() - asked >= ASK_MS) {
      asked = run.clock.ticks()
      const held = await delayReason(stream, ledger)
      if (held.message !== said) run.emit({ type: 'log', level: 'warn', ...held })
      said = held.message
    }
    await sleep(POLL_MS, undefined, { signal: run.interrupt.stop }).catch(() => undefined)
  }
}

/** Why the rows are not read yet, and a hint. The stream reads them only after all earlier changes. */
async function delayReason(
  stream: string,
  { database }: StreamLedger,
): Promise<{ readonly message: string; readonly hint: string }> {
  const [row] = await database.all('SELECT run_id FROM migration_streams WHERE stream_id = ?', [stream])
  const run = String(row?.[0] ?? stream)
  const steered = await askRun(run)
  if (steered?.paused === true)
    return { message: `run ${run} is paused and reads no rows`, hint: `run sluice ctl ${run} resume` }
  if (steered !== null && steered.rate !== null) {
    return {
      message: `run ${run} is limited to ${steered.rate} changes a second: it reads these rows after the waiting changes`,
      hint: `run sluice ctl ${run} rate off to remove the limit`,
    }
  }
  const where = steered === null ? ', or the run is paused or limited on its machine' : ''
  return {
    message: `run ${run} has not reached these rows yet: earlier changes are waiting${where}`,
    hint: `sluice ctl ${run} on the machine of the run shows whether it is paused or limited; ctrl-c ends this command, and the rows are still read later`,
  }
}

/**
 * Rows by outcome: written (`mended`), removed, or already equal.
 * @property position at which the table equals the source
 * @property runs that repaired rows
 */
export type RepairCounts = {
  readonly mended: number
  readonly removed: number
  readonly equal: number
  readonly position: string
  readonly runs: readonly string[]
}

/** @param limit maximum number of rows that are reported one by one */
export async function outcomeOf(
  { stream, table, nominated }: AwaitedRows,
  { name, keys, limit }: { readonly name: string; readonly keys: readonly RowKey[]; readonly limit: number },
  ledger: StreamLedger,
  run: { readonly emit: (event: FollowRowEvent) => void },
): Promise<RepairCounts> {
  // The rows were read at this position or before it. A live table equals the source at the applied position.
  const position = await ledger.positionOf(stream, table)
  const repairs = await repairedSince(ledger.database, table, nominated.sinceMs)
  const sum = { mended: 0, removed: 0, equal: 0 }
  const runs = new Set<string>()
  for (const [at, key] of keys.entries()) {
    const repair = repairs.get(JSON.stringify(key))
    const outcome = repair === undefined ? 'equal' : repair.action === 'delete' ? 'removed' : 'mended'
    sum[outcome]++
    const repairedBy = repair === undefined ? {} : { repairedBy: dec(repair.runId) }
    if (repair !== undefined) runs.add(dec(repair.runId))
    if (at < limit) run.emit({ type: 'follow.row', table: name, key, outcome, position, ...repairedBy })
  }
  return { ...sum, position, runs: [...runs] }
}

async function isLive(database: LedgerDatabase, stream: string, { schema, name }: TableKey): Promise<boolean> {
  const [row] = await database.all(
    'SELECT state FROM migration_stream_tables WHERE stream_id = ? AND schema_name = ? AND table_name = ?',
    [stream, schema, name],
  )
  return row?.[0] === 'live'
}
