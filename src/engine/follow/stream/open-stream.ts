/**
 * Stages of opening the stream of a copy: find or begin it, check its tables, record and take it, start reading changes
 * at the source.
 */
import { tableText } from '../../../model/copy/column-type.ts'
import type { Cdc, StreamStart } from '../../../model/follow/port.ts'
import { dec } from '../../../model/run/event.ts'
import { asSluiceError } from '../../../shared/errors.ts'
import { redactUrl } from '../../../shared/redact.ts'
import { startHeartbeat } from '../../../stores/common/lease/heartbeat.ts'
import type { StreamBegun } from '../../run/run-context.ts'
import { COPY_LEASE_MS } from '../../copy/ledger/owner.ts'
import type { StreamRow } from '../../copy/ledger/stream-row.ts'
import { StreamLedger } from '../../copy/ledger/streams.ts'
import { emptyTables } from '../apply/empty-tables.ts'
import { resyncTables, recopiedTables } from '../compare/resync.ts'
import { CopyWatch } from '../progress/copy-watch.ts'
import { openAlerts } from '../progress/open-alerts.ts'
import { refuseAltered } from './altered-meanwhile.ts'
import { endStreamAtBoth, streamName, takeToEnd } from './end-stream.ts'
import { inspectSides, streamSides, type FollowingParts, type StreamSides } from './preflight.ts'
import type { FollowTable } from './followed-table.ts'
import { recordTarget, refuseMoved } from './recorded-target.ts'
import { beginExclusively, cdcOf, refuseFaulty, refuseOther, rereadStream, streamOfPlan } from './known-stream.ts'
import { refuseLostPartitions } from './lost-partitions.ts'
import { refusePlans, reportNewTables, withTargetColumns } from './planned-tables.ts'
import { applyWorkersRefusal, refuseCombinations, refuseChangesOnly } from './refusals.ts'
import { refuseStreamGap, retireChunks } from './stream-gap.ts'
import { takeStream } from './take-stream.ts'
import { streamOptions, withTriggers } from './requested-stream.ts'

const NOTHING: ReadonlySet<string> = new Set()

type KnownStream = {
  readonly parts: FollowingParts
  readonly ledger: StreamLedger
  readonly sides: StreamSides
  readonly cdc: Cdc
  /** The stream to resume; null for a new one. */
  readonly found: StreamRow | null
  readonly isMoved: boolean
  /** Tables that are emptied and copied again. */
  readonly recopied: ReadonlySet<string>
}

type BegunStream = KnownStream & { readonly stream: string; readonly tables: readonly FollowTable[] }

type TakenStream = BegunStream & {
  readonly fence: number
  readonly heartbeat: NodeJS.Timeout
  readonly alerting: ReturnType<typeof openAlerts>
  /** Evaluates the alerts until changes are applied; null without alerts. */
  readonly watch: CopyWatch | null
}

/** A stream that this program owns, and that is started at the source. */
export type OpenStream = TakenStream & { readonly startRecord: StreamStart }

/** @throws as `Following.open` */
export async function openFollowedStream(parts: FollowingParts): Promise<OpenStream> {
  const known = await resolveStream(parts)
  const taken = await take(await begin(known))
  try {
    return await startReading(taken)
  } catch (error) {
    const { heartbeat, watch, alerting, ledger, stream } = taken
    clearInterval(heartbeat)
    await watch?.[Symbol.asyncDispose]()
    await alerting.sent()
    await ledger.lease.release(stream).catch(() => undefined)
    const ended = watch?.ended ?? null
    if (ended !== null && asSluiceError(error).kind === 'stopped') throw ended
    throw error
  }
}

/** Refuses a stream that conflicts with the ledger, the plan or the options; ends the earlier stream on a restart. */
async function resolveStream(parts: FollowingParts): Promise<KnownStream> {
  const { operation, planned, database, owner, run } = parts
  refuseCombinations(operation)
  const ledger = new StreamLedger(database, owner)
  const before = await streamOfPlan(planned, parts.asked, database)
  refuseOther(parts.within, before)
  if (operation.follow?.changesOnly === true) refuseChangesOnly(before, operation)
  const asked = operation.follow?.cdc
  // A restarted stream may capture changes in another way.
  const cdc = operation.restart && asked !== undefined ? asked : cdcOf(before, asked)
  const sides = streamSides(planned, cdc)
  reportNewTables(planned, before, operation, run)
  const isMoved = operation.follow?.moved === true && (await parts.restarts?.hasMoved()) !== true
  const found = operation.restart ? null : before
  if (found?.startRecord != null && !isMoved)
    await refuseMoved(found.id, found.startRecord, sides.changes, planned.to, run)
  const recopied = found === null ? NOTHING : await recopiedTables(parts, found, sides, ledger)
  if (found !== null) await refuseFaulty(found, parts, sides, ledger, recopied)
  refusePlans(planned, run)
  if (found !== null && recopied.size === 0)
    await refuseLostPartitions(found, planned, { database, owner, signal: run.interrupt.abort })
  if (!operation.restart && found?.startRecord == null) await refuseStreamGap(parts)
  const refused = applyWorkersRefusal(operation.follow?.lanes ?? 1, planned.to)
  if (refused !== null) throw refused
  const known = { parts, ledger, sides, cdc, found, isMoved, recopied }
  if (operation.restart && before !== null) await endEarlierStream(known, before)
  return known
}

/** Empties the tables of a stream, which only the stream has filled, and ends the stream. */
async function endEarlierStream({ parts, sides, ledger }: KnownStream, before: StreamRow): Promise<void> {
  const { planned, run } = parts
  // Report every obstacle before anything is changed.
  const all = new Set(planned.tables.map(({ source }) => tableText(source.table)))
  const tables = await inspectSides(parts, sides, true, all)
  await takeToEnd(before.id, planned.from, planned.to, ledger, run)
  try {
    // If a cutover has ended the stream during the wait for the lease, users write to these tables now.
    await rereadStream(before.id, parts.database)
  } catch (error) {
    await ledger.lease.release(before.id)
    throw error
  }
  const there = tables.filter(({ plan }) => !plan.create)
  if (there.length > 0)
    await emptyTables(there, sides.target, [ledger.emptiedStatement(before.id)], ledger.emptiedQuery(before.id), run)
  await endStreamAtBoth(before, planned.from, planned.to, ledger, run)
}

/** Records a new stream. */
async function begin(known: KnownStream): Promise<BegunStream> {
  const { parts, ledger, sides, cdc, found, recopied } = known
  const { operation, planned, run } = parts
  const tables = await inspectSides(parts, sides, found !== null && found.startRecord !== null, recopied)
  await ledger.prepare()
  if (found !== null) return { ...known, stream: found.id, tables }
  const id = run.runId
  const sourceIdentity = planned.from.identity
  const begun = { id, source: redactUrl(operation.from), sourceIdentity, wishes: streamOptions(operation, cdc) }
  const noted = tables.map(({ key, name }) => ({ key, source: name }))
  let also = parts.restarts?.notes('stream', keysOf(tables))
  await run.waitForArchives?.(streamBegun(parts, tables))
  if (operation.restart) await retireChunks(parts)
  await beginExclusively(id, tables, ledger, {
    begin: async () => {
      await ledger.begin(begun, noted, run.tool, also)
      also = undefined
    },
    signal: parts.stopping,
  })
  return { ...known, stream: id, tables }
}

/** Takes the stream for this program, until it is released. */
async function take(begun: BegunStream): Promise<TakenStream> {
  const { parts, ledger, stream, found } = begun
  const { operation, run } = parts
  const fence = await takeStream(ledger, stream, run)
  const heartbeat = startHeartbeat(COPY_LEASE_MS / 3, () => ledger.lease.renew(stream))
  const alerting = openAlerts(operation, run, async () => await ledger.lease.refuseLost(stream, fence))
  return { ...begun, fence, heartbeat, alerting, watch: watchOf(alerting, begun, found?.startRecord ?? null) }
}

/** Starts the change stream at the source, and records source and target on both sides. */
async function startReading(taken: TakenStream): Promise<OpenStream> {
  const { parts, ledger, sides, cdc, found, isMoved, recopied, stream, tables, watch } = taken
  const { operation, planned, database, run } = parts
  const held = await rereadStream(stream, database)
  // Store this, so that a command that resumes the stream by its id fires triggers, too.
  if (found !== null && operation.follow?.fireTriggers === true)
    await ledger.storeOptions(stream, withTriggers(held.wishes))
  if (held.startRecord === null) await refuseCopiedMeanwhile(taken)
  const begun = held.startRecord ?? (await createSlot(taken))
  const ordered = withTargetColumns(begun, tables, recopied, planned.to.label)
  const known = await recordTarget(stream, ordered, { changes: sides.changes, ledger, to: planned.to, isMoved }, run)
  if (isMoved && parts.restarts !== undefined) await database.batch(parts.restarts.notes('moved', keysOf(tables)))
  if ((await ledger.toCopy(stream)).length > 0) await run.waitForArchives?.(streamBegun(parts, tables))
  const renewed = await resyncTables(parts, sides, ledger, { id: stream, startRecord: known }, tables, recopied)
  const startRecord = withTargetColumns(renewed, tables, NOTHING, planned.to.label)
  if (startRecord !== renewed) await database.batch([ledger.startStatement(stream, startRecord)])
  const progress = await ledger.progress(stream, sides.changes)
  const states = await ledger.tables(stream, sides.changes)
  watch?.noteStarted(startRecord, states.some(({ state }) => state === 'catchup' || state === 'live') ? progress : null)
  run.emit({
    type: 'follow.started',
    stream,
    slot: startRecord.slot,
    position: progress.position,
    tables: dec(tables.length),
    isNew: held.startRecord === null,
    ...(cdc === 'trigger' ? { cdc } : {}),
  })
  return { ...taken, startRecord }
}

function keysOf(tables: readonly FollowTable[]): readonly FollowTable['key'][] {
  return tables.map(({ key }) => key)
}

function streamBegun(
  { planned, database, run, stopping }: FollowingParts,
  tables: readonly FollowTable[],
): StreamBegun {
  return {
    from: { store: planned.from, tables: tables.map(({ source }) => source.table.table) },
    to: { store: planned.to, tables: tables.map(({ plan }) => plan.target.table) },
    ledger: database,
    run,
    stopping,
  }
}

function watchOf(
  { alerts }: ReturnType<typeof openAlerts>,
  { parts: { planned, database, run, stop }, sides: { changes }, stream }: BegunStream,
  startRecord: StreamStart | null,
): CopyWatch | null {
  if (alerts === null) return null
  return new CopyWatch({ alerts, changes, planned, database, run, stop }, streamName(stream), startRecord)
}

/**
 * Refuses the stream if chunks were read before it. Since the stream was recorded, no other copy takes chunks, and
 * chunks that other copies had are freed.
 */
async function refuseCopiedMeanwhile({ parts, ledger, found, stream }: TakenStream): Promise<void> {
  try {
    await refuseStreamGap(parts)
  } catch (error) {
    if (found === null) await ledger.note(stream, 'ended')
    throw error
  }
}

/** Creates publication and slot. @throws SluiceError NOT_FOLLOWABLE if a table was altered since the plan */
async function createSlot({ parts, sides: { changes }, ledger, stream, tables }: BegunStream): Promise<StreamStart> {
  const { operation, planned, run, stopping } = parts
  const startRecord = await changes.begin(
    streamName(stream),
    tables.map(({ source }) => source),
    AbortSignal.any([run.interrupt.abort, stopping]),
    (message) => run.emit({ type: 'log', level: 'note', message }),
    operation.follow?.quiesce === true,
  )
  try {
    await refuseAltered(tables, planned.from, run.interrupt.abort)
  } catch (error) {
    await changes.end(streamName(stream), run.interrupt.abort).catch(() => undefined)
    throw error
  }
  await ledger.recordStart(stream, startRecord)
  return startRecord
}
