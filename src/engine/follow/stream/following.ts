/**
 * What makes a copy followed: publication and slot before its first chunk, nothing applied to a table until all of its chunks are there, and the stream after
 * that. The ledger has it all, so that the same command goes on wherever it was broken off, through as many snapshots as it takes.
 */
import { tableText } from '../../../model/copy/column-type.ts'
import type { LogPosition } from '../../../model/copy/change.ts'
import { dec } from '../../../model/run/event.ts'
import { asSluiceError, type SluiceError } from '../../../shared/errors.ts'
import { redactUrl } from '../../../shared/redact.ts'
import type { Statement } from '../../../model/copy/port.ts'
import type { ChangeSource, StreamBirth } from '../../../model/follow/port.ts'
import { beat } from '../../../stores/common/lease/heartbeat.ts'
import type { Alerts } from '../../run/alerts/alerts.ts'
import { openAlerts } from '../progress/open-alerts.ts'
import { LEASE_MS } from '../../copy/ledger/owner.ts'
import type { OpenStream } from '../../copy/companion.ts'
import type { CopyEvent } from '../../copy/copy-run.ts'
import type { PlannedTable } from '../../copy/plan/plan-copy.ts'
import type { Surroundings } from '../../copy/table/copy-context.ts'
import type { Ending } from '../../run/run-context.ts'
import { buildReached } from './build-reached.ts'
import { ChunkLedger } from '../../copy/ledger/chunks.ts'
import { copiedPart, type CopiedPart } from '../compare/copied-part.ts'
import { CopyWatch } from '../progress/copy-watch.ts'
import { divideLanes } from '../apply/divide.ts'
import { emptyTables } from '../apply/empty-tables.ts'
import { endStream, refuseSwitching, streamName } from './end-stream.ts'
import { examined, refuse, sidesOf, type FollowingParts, type Sides } from './exam.ts'
import type { StreamBegun } from '../../run/run-context.ts'
import type { FollowTable } from './followed-table.ts'
import { noteFollower, refuseMoved } from './follower.ts'
import { beginAlone, cdcOf, refuseFaulty, refuseOther, streamHeld, streamOfPlan } from './known-stream.ts'
import { StreamLedger, streamFence } from '../../copy/ledger/streams.ts'
import type { StreamRow } from '../../copy/ledger/stream-row.ts'
import { FollowLoop } from '../apply/loop.ts'
import { refusePlans, tellOthers, withTargetColumns } from './planned-tables.ts'
import { refuseLostPartitions } from './lost-partitions.ts'
import { lanesRefusal, refuseCombinations, refuseInPart, refusedWhileFollowing } from './refusals.ts'
import { refuseOtherTarget } from './same-target.ts'
import { resynced, tablesAnew } from '../compare/resync.ts'
import { TableStates } from '../progress/table-states.ts'
import { endingOf } from './stream-ending.ts'
import { takeStream } from './take-stream.ts'
import type { SharedProof } from '../together/compare-together.ts'
import { whileShared } from '../together/shared-copies.ts'
import { wishesOf, withFiring } from './wished-stream.ts'

const NOTHING: ReadonlySet<string> = new Set()

export class Following implements OpenStream {
  readonly #parts: FollowingParts
  readonly #sides: Sides
  readonly #ledger: StreamLedger
  readonly #stream: string
  readonly #fence: number
  readonly #birth: StreamBirth
  readonly #tables: readonly FollowTable[]
  readonly #heart: NodeJS.Timeout
  readonly #alerting: ReturnType<typeof openAlerts>
  /** Judges the alerts until changes are applied; null where none were asked for. */
  readonly #watch: CopyWatch | null

  /**
   * Begins a stream for the tables of a plan, or takes over the one that follows them.
   * @throws SluiceError NOT_FOLLOWABLE, BAD_FLAG, TABLE_FOLLOWED, STREAM_HALTED, LEDGER_BUSY where another living program follows them
   */
  static async open(parts: FollowingParts): Promise<Following> {
    const { operation, planned, database, owner, run } = parts
    refuseCombinations(operation)
    const ledger = new StreamLedger(database, owner)
    const before = await streamOfPlan(planned, parts.wished, database)
    refuseOther(parts.within, before)
    if (operation.follow?.changesOnly === true) refuseInPart(before, operation)
    const wished = operation.follow?.cdc
    // What is begun anew may be told in another way.
    const cdc = operation.restart && wished !== undefined ? wished : cdcOf(before, wished)
    const sides = sidesOf(planned, cdc)
    tellOthers(planned, before, run)
    const isMoved = operation.follow?.moved === true && (await parts.restarts?.hasMoved()) !== true
    if (before?.birth != null && !operation.restart && !isMoved)
      await refuseMoved(before.id, before.birth, sides.changes, planned.to, run)
    const anew = before === null || operation.restart ? NOTHING : await tablesAnew(parts, before, sides, ledger)
    if (before !== null && !operation.restart) await refuseFaulty(before, parts, sides, ledger, anew)
    refusePlans(planned, run)
    if (before !== null && !operation.restart && anew.size === 0)
      await refuseLostPartitions(before, planned, { database, owner, signal: run.interrupt.abort })
    const refused = lanesRefusal(operation.follow?.lanes ?? 1, planned.to)
    if (refused !== null) throw refused
    if (operation.restart && before !== null) {
      // Whatever is in the way is said while everything still stands.
      const all = new Set(planned.tables.map(({ source }) => tableText(source.table)))
      await begunAnew(parts, before, await examined(parts, sides, true, all), sides, ledger)
    }
    const found = operation.restart ? null : before
    const tables = await examined(parts, sides, found !== null && found.birth !== null, anew)
    await ledger.prepare()
    const stream = found?.id ?? run.runId
    if (found === null) {
      const begun = {
        id: stream,
        source: redactUrl(operation.from),
        sourceIdentity: planned.from.identity,
        wishes: wishesOf(operation, cdc),
      }
      let also = parts.restarts?.notes(
        'stream',
        tables.map(({ key }) => key),
      )
      const begin = async (): Promise<void> => {
        await ledger.begin(
          begun,
          tables.map(({ key, name }) => ({ key, source: name })),
          run.tool,
          also,
        )
        also = undefined
      }
      await run.waitForArchives?.(streamBegun(parts, tables))
      await beginAlone(stream, tables, ledger, { begin, signal: parts.stopping })
    }
    const fence = await takeStream(ledger, stream, run)
    const heart = beat(LEASE_MS / 3, () => ledger.renew(stream))
    const alerting = openAlerts(operation, run)
    const watch = watchOf(alerting.alerts, parts, sides, found?.birth ?? null, stream)
    try {
      const held = await streamHeld(stream, database)
      // Whoever goes on by the number of the stream wants the same.
      if (found !== null && operation.follow?.fireTriggers === true)
        await ledger.noteWishes(stream, withFiring(held.wishes))
      const begun = held.birth ?? (await born(parts, sides.changes, ledger, stream, tables))
      const ordered = withTargetColumns(begun, tables, anew, planned.to.label)
      const known = await noteFollower(
        stream,
        ordered,
        { changes: sides.changes, ledger, to: planned.to, isMoved },
        run,
      )
      if (isMoved && parts.restarts !== undefined)
        await database.batch(
          parts.restarts.notes(
            'moved',
            tables.map(({ key }) => key),
          ),
        )
      if ((await ledger.toCopy(stream)).length > 0) await run.waitForArchives?.(streamBegun(parts, tables))
      const renewed = await resynced(parts, sides, ledger, { id: stream, birth: known }, tables, anew)
      const birth = withTargetColumns(renewed, tables, NOTHING, planned.to.label)
      if (birth !== renewed) await database.batch([ledger.birthStatement(stream, birth)])
      const progress = await ledger.progress(stream, sides.changes)
      const states = await ledger.tables(stream, sides.changes)
      watch?.born(birth, states.some(({ state }) => state === 'catchup' || state === 'live') ? progress : null)
      const { position } = progress
      const isNew = held.birth === null
      run.emit({
        type: 'follow.started',
        stream,
        slot: birth.slot,
        position,
        tables: dec(tables.length),
        isNew,
        ...(cdc === 'trigger' ? { cdc } : {}),
      })
      return new Following(parts, sides, ledger, { stream, fence, birth, tables, heart, alerting, watch })
    } catch (error) {
      clearInterval(heart)
      await watch?.[Symbol.asyncDispose]()
      await alerting.sent()
      await ledger.release(stream).catch(() => undefined)
      const ended = watch?.ended ?? null
      if (ended !== null && asSluiceError(error).kind === 'stopped') throw ended
      throw error
    }
  }

  private constructor(
    parts: FollowingParts,
    sides: Sides,
    ledger: StreamLedger,
    own: {
      readonly stream: string
      readonly fence: number
      readonly birth: StreamBirth
      readonly tables: readonly FollowTable[]
      readonly heart: NodeJS.Timeout
      readonly alerting: ReturnType<typeof openAlerts>
      readonly watch: CopyWatch | null
    },
  ) {
    this.#parts = parts
    this.#sides = sides
    this.#ledger = ledger
    this.#stream = own.stream
    this.#fence = own.fence
    this.#birth = own.birth
    this.#tables = own.tables
    this.#heart = own.heart
    this.#alerting = own.alerting
    this.#watch = own.watch
  }

  /** Takes every event of the run. */
  heard(event: CopyEvent): void {
    this.#watch?.heard(event)
  }

  /** What a run comes to that was stopped: an alert may have ended it before anything was followed. */
  unfollowed(ending: Ending): Ending {
    const error = this.#watch?.ended ?? null
    if (ending.stopped !== true || error === null) return ending
    const { stopped: _stopped, ...rest } = ending
    return { ...rest, error }
  }

  /**
   * What a look at the source shows is on the disk there. Else a crash takes back commits that nobody waited for (`synchronous_commit = off`): their rows would
   * stay in the target, and no stream tells of what never was.
   */
  settle(): Promise<LogPosition> {
    return this.#sides.changes.fence(this.#parts.run.interrupt.abort)
  }

  /** Gives a row as long as no other program has the stream. */
  get fence(): Statement {
    return streamFence(this.#stream, this.#fence)
  }

  /**
   * Tables of the plan that this run copies: of the others the stream says what they hold.
   * @throws SluiceError TARGET_BUSY where transactions of others at the source do not end in time
   */
  async toCopy(): Promise<readonly PlannedTable[]> {
    if (this.#isInPart) return []
    const copying = await this.#copying()
    if (copying.size > 0) await this.#waitForLeftOut()
    return this.#parts.planned.tables.filter(({ source }) => copying.has(tableText(source.table)))
  }

  /** Whether this run applies changes to a part of the table, and copies nothing. */
  get #isInPart(): boolean {
    return this.#parts.operation.follow?.changesOnly === true
  }

  /** What others of its run have to know of it; null where it is alone. */
  get #shared(): SharedProof | null {
    const { run, database, owner } = this.#parts
    const { sharedRun, callOthers: call } = run
    return sharedRun === undefined || call === undefined
      ? null
      : { database, owner, stream: this.#stream, sharedRun, call }
  }

  /** @param body copies chunks, which others may take, too, while it does */
  async copying(body: () => Promise<void>): Promise<void> {
    const shared = this.#shared
    if (shared === null) return await body()
    const { owner, database, sharedRun, call } = shared
    const copy = { stream: this.#stream, fence: this.#fence }
    await whileShared(copy, { database, sharedRun, runId: owner.runId, call }, body)
  }

  /** Names of tables of which not all is copied. */
  async #copying(): Promise<ReadonlySet<string>> {
    const states = await this.#ledger.tables(this.#stream, this.#sides.changes)
    return new Set(states.flatMap(({ source, state }) => (state === 'copying' ? [source] : [])))
  }

  /**
   * Changes of rows that were still to be copied were left out while the copy stood still. One that a stream tells may not be shown yet, while its commit waits for a
   * standby: every snapshot from here on shows it.
   */
  async #waitForLeftOut(): Promise<void> {
    const { run, stopping } = this.#parts
    const { changes } = this.#sides
    const { position } = await this.#ledger.progress(this.#stream, changes)
    if (position === this.#birth.start) return
    const signal = AbortSignal.any([run.interrupt.abort, stopping])
    const tell = (message: string): void => run.emit({ type: 'log', level: 'note', message })
    await changes.renew?.(this.#birth, [], changes.position(position), signal, tell)
  }

  /** What changes are applied to of tables that are copied in part. */
  async #partsCopied(): Promise<ReadonlyMap<string, CopiedPart>> {
    const parts = new Map<string, CopiedPart>()
    if (!this.#isInPart) return parts
    const { database, owner } = this.#parts
    const copying = await this.#copying()
    for (const { name, key, plan, source } of this.#tables) {
      if (!copying.has(name)) continue
      const columns = source.columns.map((column) => column.name)
      parts.set(name, await copiedPart(new ChunkLedger(database, key, owner), plan.source.key[0] ?? '', columns))
    }
    return parts
  }

  /**
   * Applies changes until the run is asked to stop, or has reached what was asked for.
   * @param copied how the copy of those tables ended that were not copied before: all of their chunks are there
   */
  async follow(copied: Ending, around: Surroundings): Promise<Ending> {
    const { run, operation, planned, database } = this.#parts
    const { changes, target } = this.#sides
    const signal = run.interrupt.abort
    await around.views.release()
    const stored = await this.#ledger.tables(this.#stream, changes)
    const copying = stored.filter(({ state }) => state === 'copying')
    const { from, to } = planned
    await refuseOtherTarget(
      this.#tables
        .map((one) => ({ ...one, isCopied: copying.some(({ source }) => source === one.name) }))
        .filter(({ isCopied }) => !isCopied || !this.#isInPart),
      await this.#ledger.progress(this.#stream, changes),
      { stream: this.#stream, from, to, database, owner: this.#parts.owner, signal },
    )
    if (copying.length > 0 && !this.#isInPart) {
      // Behind every snapshot that a chunk was read under.
      const fence = await changes.fence(signal)
      const keys = copying.map(({ key }) => key)
      await this.#ledger.noteState(this.#stream, keys, 'catchup', changes.text(fence))
      for (const { source } of copying)
        run.emit({ type: 'follow.table', table: source, state: 'catchup', position: changes.text(fence) })
    }
    const states = new TableStates()
    const parts = await this.#partsCopied()
    states.load(this.#tables, await this.#ledger.tables(this.#stream, changes), parts)
    const exam = await target.examine({
      tables: this.#tables.map((one, at) => ({ ...one.target, catchingUp: states.list[at] !== 'live' })),
      fireTriggers: operation.follow?.fireTriggers === true,
      signal,
    })
    refuse(exam.refusals, run)
    const { until, proveEveryMs = null, fireTriggers = false } = operation.follow ?? {}
    const goal = {
      position: until === 'caught-up' ? await changes.fence(signal) : null,
      equal: until === 'equal',
      signOff: typeof until === 'object' ? until.signOff : null,
      proveEveryMs,
      watch: this.#parts.within?.watch ?? null,
    }
    const unbuilt: SluiceError[] = []
    const { alerts } = this.#alerting
    await this.#watch?.[Symbol.asyncDispose]()
    const loop = new FollowLoop(
      {
        stream: this.#stream,
        fence: this.#fence,
        from: planned.from,
        to: planned.to,
        changes,
        target,
        database,
        ledger: this.#ledger,
        tables: this.#tables,
        states,
        parts,
        fireTriggers,
        steering: around.steering,
        run,
        clock: run.clock,
        runId: BigInt(run.runId),
        alerts,
        lanes: operation.follow?.lanes ?? null,
        shared: this.#shared,
        divide: (lanes) => divideLanes(this.#parts, this.#sides, this.#ledger, this.#stream, this.#tables, lanes),
        build: async (ready) => {
          const reached = ready.flatMap((at) => this.#tables[at] ?? [])
          unbuilt.push(...(await buildReached(reached, this.#tables, states, { ...around, store: planned.to })))
        },
      },
      this.#birth,
      goal,
    )
    around.steering.refusal = (wish) => refusedWhileFollowing(wish, planned.to)
    const end = await loop.run()
    const followed = { stream: this.#stream, to: operation.to, states, changes, alerts, unbuilt: unbuilt[0] ?? null }
    return this.unfollowed(endingOf(copied, end, followed))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#heart)
    await this.#watch?.[Symbol.asyncDispose]()
    await this.#ledger.release(this.#stream).catch(() => undefined)
    await this.#alerting.sent()
  }
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
  alerts: Alerts | null,
  { planned, database, run, stop }: FollowingParts,
  { changes }: Sides,
  birth: StreamBirth | null,
  stream: string,
): CopyWatch | null {
  if (alerts === null) return null
  return new CopyWatch({ alerts, changes, planned, database, run, stop }, streamName(stream), birth)
}

/** Empties the tables of a stream, which nobody but it has filled, and ends it. */
async function begunAnew(
  { planned, run }: FollowingParts,
  stream: StreamRow,
  tables: readonly FollowTable[],
  { target }: Sides,
  ledger: StreamLedger,
): Promise<void> {
  await refuseSwitching(stream.id, planned.from, planned.to, ledger, run)
  await takeStream(ledger, stream.id, run)
  const there = tables.filter(({ plan }) => !plan.create)
  if (there.length > 0)
    await emptyTables(there, target, [ledger.emptiedStatement(stream.id)], ledger.isEmptied(stream.id), run)
  await endStream(stream, planned.from, planned.to, ledger, run)
}

/** Makes publication and slot. */
async function born(
  { operation, run, stopping }: FollowingParts,
  changes: ChangeSource,
  ledger: StreamLedger,
  stream: string,
  tables: readonly FollowTable[],
): Promise<StreamBirth> {
  const sources = tables.map((one) => one.source)
  const birth = await changes.begin(
    streamName(stream),
    sources,
    AbortSignal.any([run.interrupt.abort, stopping]),
    (message) => run.emit({ type: 'log', level: 'note', message }),
    operation.follow?.quiesce === true,
  )
  await ledger.born(stream, birth)
  return birth
}
