/** Compares rows that a command named, and notes those that differ: the apply worker of the stream reads them again. */
import { changesBy } from '../../../model/copy/offers.ts'
import { isCalled, tableText } from '../../../model/copy/column-type.ts'
import type { RowKey } from '../../../model/copy/row-key.ts'
import { SluiceError } from '../../../shared/errors.ts'
import type { CopyStore } from '../../../model/copy/port.ts'
import type { LedgerDatabase } from '../../../model/run/ledger-port.ts'
import type { CopyRun } from '../../copy/copy-run.ts'
import type { RowDifference } from '../../copy/diff/difference.ts'
import { begunPlans } from '../../copy/ledger/begun-plans.ts'
import { retryMsOf } from '../../copy/workers/failure.ts'
import { withRetries } from '../../copy/workers/retries.ts'
import { planCopy } from '../../copy/plan/plan-copy.ts'
import { SourceViews } from '../../copy/source-views.ts'
import { cdcOf, missingSourceTables } from '../stream/known-stream.ts'
import { followTable, ledgerKey, sourceOf, type FollowTable } from '../stream/followed-table.ts'
import { missingTables, reportedHalt } from '../stream/halt.ts'
import type { NamedStream } from '../../copy/ledger/stream-lookup.ts'
import type { StreamRow } from '../../copy/ledger/stream-row.ts'
import type { RequestedReread } from '../../copy/ledger/rereads.ts'
import type { StreamLedger } from '../../copy/ledger/streams.ts'
import { copyOfStream, otherSourceError } from '../stream/named-stream.ts'
import { differencesIn, rowsOfKey } from './find.ts'
import { namedKeys, compareScope, type ScopeOptions } from './scope.ts'

/** Maximum number of rows that one command asks the stream to read again; further rows need another command. */
const MAX_ROWS = 100_000
const AT_ONCE = 1000

export type RequestedRepair = {
  readonly from: CopyStore
  readonly to: CopyStore
  readonly stream: NamedStream
  readonly ledger: StreamLedger
  readonly database: LedgerDatabase
  readonly run: CopyRun
}

export type RequestOptions = {
  readonly from: string
  readonly to: string
  readonly table?: string
  readonly scope: ScopeOptions
  /** Maximum number of differences that are reported one by one. */
  readonly limit: number
}

/** A key that several rows share, and whose rows differ. @property error why the key identifies no single row */
type SharedKey = { readonly key: RowKey; readonly error: SluiceError }

/** Result of a comparison of both sides. */
export type RequestedComparison = {
  readonly rows: number
  readonly targetRows: number
  readonly missing: number
  readonly extra: number
  readonly different: number
  /** Rows of the source that cannot be read. */
  readonly unread: number
  readonly shared: readonly SharedKey[]
  /** Key ranges whose checksums differ although no row does. */
  readonly unexplained: number
  /** Keys that neither side has. */
  readonly missingKeys: readonly string[]
  /** True if there are more differences than one command may ask the stream to read again. */
  readonly more: boolean
  /** Keys of rows to read again, in the stream's row key columns. */
  readonly keys: readonly RowKey[]
}

/** @throws SluiceError STREAM_HALTED, SLOT_LOST, PLAN_CHANGED if the stream reads from another database */
export function refuseUnfitStream({ from, stream, run }: Pick<RequestedRepair, 'from' | 'stream' | 'run'>): void {
  refuseInactiveStream(stream, run)
  if (from.identity === stream.sourceIdentity) return
  throw otherSourceError(stream, from)
}

/** Refuses a stream that is halted, has ended or has not begun. @throws SluiceError STREAM_HALTED, SLOT_LOST */
export function refuseInactiveStream({ id, status, startRecord, faults }: StreamRow, run: CopyRun): void {
  if (status === 'halted') throw reportedHalt(id, faults, run)
  if (status === 'ended') {
    throw new SluiceError('STREAM_HALTED', `stream ${id} has ended`, {
      reason: 'no run follows its tables',
      hint: 'remove --run: sluice diff --fix then repairs the rows itself',
    })
  }
  if (startRecord !== null) return
  throw new SluiceError('STREAM_HALTED', `stream ${id} has not begun yet`, {
    hint: `resume it first: sluice follow ${id}`,
  })
}

/** The requested table. @throws SluiceError NO_SUCH_TABLE, BAD_FLAG, NOT_FOLLOWABLE, TABLE_FOLLOWED */
export async function requestedTable(
  { from, to, stream, ledger, database, run }: RequestedRepair,
  options: RequestOptions,
): Promise<FollowTable> {
  const { abort, stop } = run.interrupt
  const changes = changesBy(cdcOf(stream, undefined), from)
  if (changes === undefined) throw new SluiceError('NOT_FOLLOWABLE', `changes of ${from.system} cannot be followed`)
  const stored = await ledger.tables(stream.id, changes)
  const again = <T>(body: () => Promise<T>): Promise<T> =>
    withRetries(body, { emit: run.emit, retryMs: retryMsOf(from, to) }, stop)
  await using views = new SourceViews(from, abort)
  await again(() => views.current())
  // Plan all tables of the stream: --table may be a name in the source or in the target.
  const copy = { ...copyOfStream(stream, options, {}), tables: stored.map(({ source }) => source), dryRun: true }
  const followed = new Set(stored.map(({ source }) => source))
  const begun = begunPlans(database)
  const planned = await planCopy(copy, from, to, { views, again, signal: abort, purpose: 'mend', followed, begun })
  const known = planned.tables
  const { table: name } = options
  const names = known.map(({ source }) => tableText(source.table))
  const meant = known.filter(
    ({ source, targetName }) => name === undefined || isCalled(source.table, name) || isCalled(targetName, name),
  )
  const [one] = meant
  const gone = one === undefined ? await missingSourceTables(stream.id, planned, ledger) : []
  if (one === undefined && gone.length > 0) throw missingTables(stream.id, gone)
  if (one === undefined) {
    throw new SluiceError('NO_SUCH_TABLE', `stream ${stream.id} has no table ${name}`, {
      hint: `name one of ${names.join(', ')}`,
    })
  }
  if (meant.length > 1) {
    throw new SluiceError('BAD_FLAG', `stream ${stream.id} follows ${names.length} tables`, {
      reason: names.join(', '),
      hint: 'name one of them with --table',
    })
  }
  if (one.plan === null) throw one.error
  const key = ledgerKey(one, planned)
  const state = stored.find(({ source }) => source === tableText(one.source.table))?.state
  if (state === 'copying' || state === 'resync') {
    throw new SluiceError('TABLE_FOLLOWED', `${tableText(one.source.table)} is still being copied`, {
      reason: 'the stream applies changes to it only after all of its rows are copied',
      hint: `wait until it is live, or resume the stream: sluice follow ${stream.id}`,
    })
  }
  const { identities, refusals } = await changes.inspect([sourceOf(one.plan)], abort)
  const [identity = []] = identities
  if (identity.length === 0) {
    const [first] = refusals.filter(({ table }) => table !== undefined)
    const hint = first === undefined ? {} : { hint: first.hint }
    throw new SluiceError('NOT_FOLLOWABLE', first?.message ?? `table ${key.name} has no row key`, hint)
  }
  return followTable(one.plan, key, identity)
}

/** Compares the requested rows as both sides have them now. @throws SluiceError BAD_FLAG, and what the stores throw */
export async function compareRequested(
  { from, to, run }: RequestedRepair,
  table: FollowTable,
  options: RequestOptions,
): Promise<RequestedComparison> {
  const { abort: signal } = run.interrupt
  await using target = await to.source(signal)
  await using source = await from.source(signal)
  const views = { source, target, signal }
  const kinds = { missing: 0, extra: 0, different: 0 }
  const keys: RowKey[] = []
  const shared: SharedKey[] = []
  const count = ({ key, kind, columns, unasked }: RowDifference): void => {
    kinds[kind]++
    if (unasked !== undefined) shared.push({ key, error: unasked })
    if (kinds.missing + kinds.extra + kinds.different > options.limit) return
    run.emit({
      type: 'difference',
      table: table.name,
      key,
      difference: kind,
      ...(columns.length === 0 ? {} : { columns }),
    })
  }
  if (options.scope.by === 'key') {
    const missingKeys: string[] = []
    let [rows, targetRows] = [0, 0]
    for (const [at, key] of namedKeys(table, options.scope.keys).entries()) {
      signal.throwIfAborted()
      const found = await rowsOfKey(key, table, views)
      if (found === null) {
        missingKeys.push(options.scope.keys[at] ?? '')
        continue
      }
      const { difference } = found
      if (difference?.kind !== 'extra') rows++
      if (difference?.kind !== 'missing') targetRows++
      if (difference !== null) count(difference)
      // Read a named row again even if it is equal now: both sides may show an older state.
      keys.push(found.key)
    }
    return { ...kinds, rows, targetRows, unread: 0, unexplained: 0, shared, missingKeys, more: false, keys }
  }
  let more = false
  const scope = await compareScope(options.scope, table, { from, to, view: source, target, signal })
  const inspected = await differencesIn(scope, table, views, async (difference) => {
    more = keys.length >= MAX_ROWS
    if (more) return false
    count(difference)
    keys.push(difference.key)
    return true
  })
  return { ...kinds, ...inspected, shared, missingKeys: [], more, keys }
}

/** Returns the shared keys whose rows still differ after the stream has read and written them. */
export async function stillShared(
  { from, to, run }: RequestedRepair,
  table: FollowTable,
  shared: readonly SharedKey[],
): Promise<readonly SharedKey[]> {
  const { abort: signal } = run.interrupt
  await using target = await to.source(signal)
  await using source = await from.source(signal)
  const left: SharedKey[] = []
  for (const { key } of shared) {
    signal.throwIfAborted()
    const error = (await rowsOfKey(key, table, { source, target, signal }))?.difference?.unasked
    if (error !== undefined) left.push({ key, error })
  }
  return left
}

/** Notes keys in the ledger; the apply worker reads these rows between two of its transactions. */
export async function requestRereads(
  { stream, ledger }: RequestedRepair,
  table: FollowTable,
  keys: readonly RowKey[],
): Promise<RequestedReread> {
  const ids: string[] = []
  let sinceMs: number | null = null
  for (let at = 0; at < keys.length; at += AT_ONCE) {
    const some = await ledger.rereads.requestReread(stream.id, table.key, keys.slice(at, at + AT_ONCE))
    ids.push(...some.ids)
    sinceMs ??= some.sinceMs
  }
  return { ids, sinceMs: sinceMs ?? 0 }
}
