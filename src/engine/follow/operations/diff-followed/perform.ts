/**
 * `diff --run STREAM`: compares named rows of a replicated table as they are now. With `--fix` the apply worker of the
 * stream repairs them; it may run in another program. Only the apply worker may write into the table: otherwise
 * pending changes would be overwritten or applied twice.
 */
import { dec } from '../../../../model/run/event.ts'
import { asSluiceError, SluiceError } from '../../../../shared/errors.ts'
import { grouped } from '../../../../shared/figures.ts'
import type { CopyStore } from '../../../../model/copy/port.ts'
import type { LedgerDatabase } from '../../../../model/run/ledger-port.ts'
import type { RunOwner } from '../../../copy/ledger/owner.ts'
import { newRunRow, RunLedger } from '../../../copy/ledger/runs.ts'
import { prepareLedger } from '../../../copy/ledger/schema.ts'
import { openCopyStore, openExisting, openSourceStore } from '../../../copy/open-stores.ts'
import { openWithRetries } from '../../../copy/workers/retries.ts'
import { onSide } from '../../../copy/sides.ts'
import {
  compareRequested,
  requestRereads,
  refuseUnfitStream,
  stillShared,
  requestedTable,
  type RequestedComparison,
  type RequestedRepair,
} from '../../by-hand/compare-named.ts'
import { outcomeOf, waitUntilRead, type RepairCounts, type AwaitedRows } from '../../by-hand/outcome.ts'
import type { NamedStream } from '../../../copy/ledger/stream-lookup.ts'
import { StreamLedger } from '../../../copy/ledger/streams.ts'
import { copyOfStream, namedStream } from '../../stream/named-stream.ts'
import type { Ending, RunOf } from '../../../run/run-context.ts'
import { resumeStream } from '../follow/hints.ts'
import type { diffFollowed, DiffFollowedOperation } from './declaration.ts'

type DiffFollowedRun = RunOf<typeof diffFollowed>

/** @throws SluiceError NO_SUCH_TABLE, BAD_FLAG, STREAM_HALTED, SLOT_LOST, TABLE_FOLLOWED while the table is copied */
export async function performDiffFollowed(operation: DiffFollowedOperation, run: DiffFollowedRun): Promise<Ending> {
  const begun = run.clock.ticks()
  const inspected = await compareNamedRows(operation, run)
  const { name, compared, waited } = inspected
  const done = waited === null ? null : await waitForStream(operation, inspected.stream, waited, run)
  const outcome =
    waited === null || done !== 'read'
      ? null
      : await withTarget(operation, run, ({ ledger }) =>
          outcomeOf(waited, { name, keys: compared.keys, limit: operation.limit }, ledger, run),
        )
  // Report what the stream has repaired even if this comparison fails.
  const after =
    outcome === null ? compared.shared : await sharedKeysAfter(operation, compared, run).catch(asSluiceError)
  const ending: Ending = {
    totals: totalsOf(compared, outcome),
    ...(done === 'stopped' ? { stopped: true } : {}),
    ...(after instanceof SluiceError
      ? { error: after }
      : errorOf({ ...compared, shared: after }, { name, dryRun: operation.dryRun, isRead: outcome !== null })),
  }
  const status = done === 'stopped' ? 'stopped' : ending.error === undefined ? 'ok' : 'failed'
  run.emit({
    type: 'table.finished',
    table: name,
    status,
    ms: Math.round(run.clock.ticks() - begun),
    notes: notesOf(compared, outcome),
  })
  reportMore(operation, compared, outcome, run)
  if (done === 'stopped') {
    const message = 'the named rows are in the ledger: the next run of the stream reads and repairs them'
    run.emit({ type: 'log', level: 'note', message })
  }
  if (!operation.dryRun) await withTarget(operation, run, ({ runs }) => recordEnd(runs, ending))
  return ending
}

type Inspected = {
  readonly stream: NamedStream
  readonly name: string
  readonly compared: RequestedComparison
  /** Rows that the stream is asked to read again; null if there are none. */
  readonly waited: AwaitedRows | null
}

async function compareNamedRows(operation: DiffFollowedOperation, run: DiffFollowedRun): Promise<Inspected> {
  return await withBothSides(operation, run, async (around, { url, runs }) => {
    const { stream, database } = around
    if (!operation.dryRun) {
      await prepareLedger(database)
      await runs.start(newRunRow(run, 'diff', [url, operation.to]))
    }
    try {
      const options = { ...operation, from: url }
      const table = await requestedTable(around, options)
      const compared = await compareRequested(around, table, options)
      const isNamed = !operation.dryRun && compared.keys.length > 0
      const waited = isNamed
        ? { stream: stream.id, table: table.key, nominated: await requestRereads(around, table, compared.keys) }
        : null
      return { stream, name: table.name, compared, waited }
    } catch (thrown) {
      if (!operation.dryRun) await runs.finishFailed(thrown)
      throw thrown
    }
  })
}

/** Compares the shared keys again: the stream may have repaired their rows. @returns keys that still differ */
async function sharedKeysAfter(
  operation: DiffFollowedOperation,
  { shared }: RequestedComparison,
  run: DiffFollowedRun,
): Promise<RequestedComparison['shared']> {
  if (shared.length === 0) return shared
  return await withBothSides(operation, run, async (around, { url }) => {
    const table = await requestedTable(around, { ...operation, from: url })
    return await stillShared(around, table, shared)
  })
}

/** Waits until the rows are read: by the running program that owns the stream, otherwise by this one. */
async function waitForStream(
  operation: DiffFollowedOperation,
  stream: NamedStream,
  waited: AwaitedRows,
  run: DiffFollowedRun,
): Promise<'read' | 'stopped'> {
  for (let tried = 0; ; tried++) {
    const how = await withTarget(operation, run, ({ to, ledger }) => waitUntilRead(waited, ledger, to.label, run))
    if (how !== 'free') return how
    if (tried > MOST_TRIES) throw new Error('a stream has caught up, and rows that were named to it still wait')
    try {
      const ends = { from: operation.from ?? stream.source, to: operation.to }
      const { follow = {}, ...options } = copyOfStream(stream, ends, { until: 'caught-up' })
      const { proveEveryMs: _none, ...once } = follow
      const { stopped, error } = await resumeStream(stream, { ...options, follow: once }, run)
      if (stopped === true) return 'stopped'
      if (error !== undefined) throw error
    } catch (thrown) {
      // Another program took the stream at the same time, and reads the rows.
      if (asSluiceError(thrown).code !== 'LEDGER_BUSY') throw thrown
    }
  }
}

const MOST_TRIES = 5

type OpenTarget = {
  readonly to: CopyStore
  readonly database: LedgerDatabase
  readonly ledger: StreamLedger
  readonly runs: RunLedger
}

/** Opens the target for one step, then closes it: between two steps, the resumed stream opens the target itself. */
async function withTarget<T>(
  { to: url, dryRun }: DiffFollowedOperation,
  run: DiffFollowedRun,
  body: (at: OpenTarget) => Promise<T>,
): Promise<T> {
  const open = (): Promise<CopyStore> =>
    onSide('target', () => (dryRun ? openCopyStore(url, { mode: 'read' }) : openExisting(url)))
  await using to = await openWithRetries(open, { emit: run.emit }, run.interrupt.stop)
  await using database = await to.ledger()
  const owner: RunOwner = { ...run.owner, runId: BigInt(run.runId) }
  return await body({ to, database, ledger: new StreamLedger(database, owner), runs: new RunLedger(database, owner) })
}

/** @param body gets both sides and the stream, and the URL of the source */
async function withBothSides<T>(
  operation: DiffFollowedOperation,
  run: DiffFollowedRun,
  body: (around: RequestedRepair, at: { readonly url: string; readonly runs: RunLedger }) => Promise<T>,
): Promise<T> {
  return await withTarget(operation, run, async ({ to, database, ledger, runs }) => {
    const stream = await namedStream(database, operation.stream, to.label)
    const url = operation.from ?? stream.source
    await using from = await openWithRetries(
      () => openSourceStore(url, undefined, { moving: true }),
      { emit: run.emit },
      run.interrupt.stop,
    )
    const around = { from, to, stream, ledger, database, run }
    refuseUnfitStream(around)
    return await body(around, { url, runs })
  })
}

async function recordEnd(runs: RunLedger, { stopped, error }: Ending): Promise<void> {
  if (stopped === true) return await runs.finish('stopped', 75, null)
  await runs.finish(error === undefined ? 'completed' : 'failed', error?.exitCode ?? 0, error?.message ?? null)
}

function totalsOf(compared: RequestedComparison, outcome: RepairCounts | null): Ending['totals'] {
  const { rows, targetRows, missing, extra, different } = compared
  const { mended: repaired = 0, removed = 0, equal = 0 } = outcome ?? {}
  const found = { rows, targetRows, missing, extra, different }
  const became = outcome === null ? {} : { fixed: repaired + removed, equal }
  const all = { tables: 1, ...found, ...became }
  return Object.fromEntries(Object.entries(all).map(([name, value]) => [name, dec(value)]))
}

function notesOf(compared: RequestedComparison, outcome: RepairCounts | null): readonly string[] {
  const { rows, targetRows, missing, extra, different, unread } = compared
  const found =
    `now, including rows in flight: ${grouped(rows)} rows in the source, ${grouped(targetRows)} in the target: ` +
    `${grouped(missing)} missing, ${grouped(extra)} extra, ${grouped(different)} different` +
    (unread === 0 ? '' : `, ${grouped(unread)} that cannot be read`)
  if (outcome === null) return [found]
  const { mended: repaired, removed, equal, position } = outcome
  return [
    found,
    `${grouped(repaired)} repaired, ${grouped(removed)} removed, ${grouped(equal)} already equal: these rows equal the source at ${position}`,
  ]
}

function reportMore(
  { limit }: DiffFollowedOperation,
  { missing, extra, different }: RequestedComparison,
  outcome: RepairCounts | null,
  { emit }: DiffFollowedRun,
): void {
  const unnamed = missing + extra + different - limit
  if (unnamed > 0)
    emit({ type: 'log', level: 'note', message: `${grouped(unnamed)} more differences are counted but not listed` })
  if (outcome === null || outcome.runs.length === 0) return
  const runs = outcome.runs.length === 1 ? 'run' : 'runs'
  const message = `the earlier values of the target are in migration_repairs, under ${runs} ${outcome.runs.join(', ')}`
  emit({ type: 'log', level: 'note', message })
}

/** @param isRead true if the stream has read the rows, and `shared` are the keys that still differ */
function errorOf(
  { missing, extra, different, unread, shared, unexplained, missingKeys, more }: RequestedComparison,
  { name, dryRun, isRead }: { readonly name: string; readonly dryRun: boolean; readonly isRead: boolean },
): Pick<Ending, 'error'> {
  const differ = missing + extra + different
  const [first] = missingKeys
  if (first !== undefined) {
    const rest = missingKeys.length === 1 ? '' : `; ${missingKeys.length - 1} other given keys do not exist either`
    const error = new SluiceError('BAD_FLAG', `${name} has no row ${first} in the source or in the target${rest}`, {
      hint: 'give the key of a row that the source or the target has',
    })
    return { error }
  }
  const [several] = shared
  if (several !== undefined) {
    const text = `${shared.length === 1 ? 'one key' : `${shared.length} keys`} of ${name} ${shared.length === 1 ? 'has' : 'have'} several rows, which differ between both sides`
    const reason = several.error.message
    const again = 'keep one row of each key on both sides, then run the same command again'
    const hint =
      dryRun || isRead
        ? again
        : `run the same command again: it compares what the stream has written; if the result is the same, ${again}`
    return { error: new SluiceError('DIFFERENCES', text, { reason, hint }) }
  }
  if (dryRun && differ > 0) {
    const text = `${differ === 1 ? 'one row differs' : `${differ} rows differ`} now, including rows in flight`
    const hint = 'add --fix: the stream then reads them again and repairs what still differs'
    return { error: new SluiceError('DIFFERENCES', text, { hint }) }
  }
  if (unexplained > 0) {
    const error = new SluiceError('DIFFERENCES', `the checksums of ${name} differ, but no compared row differs`, {
      reason: `${unexplained} key ranges of the table differ as a whole: rows changed meanwhile, or several rows have the same key`,
      hint: 'run the same command again; if the result is the same, compare the whole table with sluice follow STREAM --until-equal',
    })
    return { error }
  }
  if (unread > 0) {
    const error = new SluiceError('DIFFERENCES', `${unread} rows of ${name} cannot be read`, {
      reason: 'the source has values that do not fit their type: they cannot be compared',
      hint: 'correct these values at the source, then run the same command again',
    })
    return { error }
  }
  if (!more) return {}
  const error = new SluiceError('DIFFERENCES', `more rows of ${name} differ than one command repairs`, {
    hint: 'run the same command again for the others, or compare everything with sluice follow STREAM --until-equal',
  })
  return { error }
}
