/**
 * A replicated copy after its stream is open (`open-stream`). Changes are applied to a table only after all its chunks
 * are copied; with `changesOnly`, to the copied periods. All state is in the ledger, so the same command resumes after
 * any interruption, over as many snapshots as needed.
 */
import { tableText } from '../../../model/copy/column-type.ts'
import type { LogPosition } from '../../../model/copy/change.ts'
import type { SluiceError } from '../../../shared/errors.ts'
import type { CopyStore } from '../../../model/copy/port.ts'
import type { Statement } from '../../../model/run/ledger-port.ts'
import type { FollowedStream } from '../../copy/companion.ts'
import type { CopyEvent } from '../../copy/copy-run.ts'
import type { PlannedTable } from '../../copy/plan/plan-copy.ts'
import type { CopyContext } from '../../copy/table/copy-context.ts'
import type { Ending } from '../../run/run-context.ts'
import { ChunkLedger } from '../../copy/ledger/chunks.ts'
import { copiedPart, type CopiedRanges } from '../compare/copied-part.ts'
import { divideApplyWorkers } from '../apply/divide.ts'
import { refuse, type FollowingParts } from './preflight.ts'
import { streamFence } from '../../copy/ledger/stream-lease.ts'
import { openFollowedStream, type OpenStream } from './open-stream.ts'
import { refusedWhileFollowing } from './refusals.ts'
import { FollowLoop } from '../apply/loop.ts'
import { refuseOtherTarget } from './same-target.ts'
import { TableStates } from '../progress/table-states.ts'
import { endingOf } from './stream-ending.ts'
import type { SharedProof } from '../together/compare-together.ts'
import { whileShared } from '../together/shared-copies.ts'
import { buildObjects } from '../../copy/objects/build-objects.ts'
import type { FollowTable } from './followed-table.ts'

export class Following implements FollowedStream {
  readonly #open: OpenStream

  /**
   * Begins a stream for the tables of a plan, or resumes the existing one.
   * @throws SluiceError NOT_FOLLOWABLE, BAD_FLAG, TABLE_FOLLOWED, STREAM_HALTED, LEDGER_BUSY if another running program
   * has the stream
   */
  static async open(parts: FollowingParts): Promise<Following> {
    return new Following(await openFollowedStream(parts))
  }

  private constructor(open: OpenStream) {
    this.#open = open
  }

  /** Receives every event of the run. */
  onEvent(event: CopyEvent): void {
    this.#open.watch?.handleEvent(event)
  }

  /**
   * Ending of a run that applied no changes. If an alert ended the run, the ending has an error instead of `stopped`.
   */
  endingWithoutStream(ending: Ending): Ending {
    const error = this.#open.watch?.ended ?? null
    if (ending.stopped !== true || error === null) return ending
    const { stopped: _stopped, ...rest } = ending
    return { ...rest, error }
  }

  /**
   * Resolves once everything that a snapshot of the source shows is on the source's disk. Otherwise a crash could undo
   * commits that were not flushed (`synchronous_commit = off`): their rows would stay in the target, and no stream
   * would report this.
   */
  waitUntilDurable(): Promise<LogPosition> {
    return this.#open.sides.changes.fence(this.#open.parts.run.interrupt.abort)
  }

  /** Query that returns a row as long as no other program has the stream. */
  get claimGuard(): Statement {
    return streamFence(this.#open.stream, this.#open.fence)
  }

  /**
   * Tables of the plan that this run copies; to the other tables, changes are only applied.
   * @throws SluiceError TARGET_BUSY if transactions of other sessions at the source do not end in time
   */
  async toCopy(): Promise<readonly PlannedTable[]> {
    if (this.#isPartial) return []
    const copying = await this.#tablesToCopy()
    if (copying.size > 0) await this.#waitForLeftOut()
    return this.#open.parts.planned.tables.filter(({ source }) => copying.has(tableText(source.table)))
  }

  /** True if this run applies changes to a part of the table, and copies nothing. */
  get #isPartial(): boolean {
    return this.#open.parts.operation.follow?.changesOnly === true
  }

  /** Data for sharing the copy and the comparisons with other programs; null if the run is not shared. */
  get #shared(): SharedProof | null {
    const { run, database, owner } = this.#open.parts
    const { sharedRun, callOthers: call } = run
    return sharedRun === undefined || call === undefined
      ? null
      : { database, owner, stream: this.#open.stream, sharedRun, call }
  }

  /** @param body copies chunks; meanwhile other programs may take chunks, too */
  async copying(body: () => Promise<void>): Promise<void> {
    const shared = this.#shared
    if (shared === null) return await body()
    const { owner, database, sharedRun, call } = shared
    const copy = { stream: this.#open.stream, fence: this.#open.fence }
    await whileShared(copy, { database, sharedRun, runId: owner.runId, call }, body)
  }

  /** Names of tables that are not completely copied. */
  async #tablesToCopy(): Promise<ReadonlySet<string>> {
    const states = await this.#open.ledger.tables(this.#open.stream, this.#open.sides.changes)
    return new Set(states.flatMap(({ source, state }) => (state === 'copying' ? [source] : [])))
  }

  /**
   * Waits until every new snapshot shows the changes that were left out while the copy was paused: changes of rows that
   * are still to be copied. A change that the stream has reported may not be visible yet, because its commit waits for
   * a standby.
   */
  async #waitForLeftOut(): Promise<void> {
    const { run, stopping } = this.#open.parts
    const { changes } = this.#open.sides
    const { position } = await this.#open.ledger.progress(this.#open.stream, changes)
    if (position === this.#open.startRecord.start) return
    const signal = AbortSignal.any([run.interrupt.abort, stopping])
    const report = (message: string): void => run.emit({ type: 'log', level: 'note', message })
    await changes.renew?.(this.#open.startRecord, [], changes.position(position), signal, report)
  }

  /** Rows to which changes are applied, by name of a partly copied table. */
  async #partsCopied(): Promise<ReadonlyMap<string, CopiedRanges>> {
    const parts = new Map<string, CopiedRanges>()
    if (!this.#isPartial) return parts
    const { database, owner } = this.#open.parts
    const copying = await this.#tablesToCopy()
    for (const { name, key, plan, source } of this.#open.tables) {
      if (!copying.has(name)) continue
      const columns = source.columns.map((column) => column.name)
      parts.set(name, await copiedPart(new ChunkLedger(database, key, owner), plan.source.key[0] ?? '', columns))
    }
    return parts
  }

  /**
   * Applies changes until the run is asked to stop, or has reached its goal.
   * @param copied ending of the copy stage: all chunks of the tables in it are in the target
   */
  async follow(copied: Ending, context: CopyContext): Promise<Ending> {
    const { ledger, stream, tables, sides, startRecord, alerting, watch } = this.#open
    const { run, operation, planned, database, owner, within } = this.#open.parts
    const { changes, target } = sides
    const signal = run.interrupt.abort
    await context.views.release()
    const stored = await ledger.tables(stream, changes)
    const copying = stored.filter(({ state }) => state === 'copying')
    const { from, to } = planned
    const progress = await ledger.progress(stream, changes)
    await refuseOtherTarget(
      tables
        .map((one) => ({ ...one, isCopied: copying.some(({ source }) => source === one.name) }))
        .filter(({ isCopied }) => !isCopied || !this.#isPartial),
      progress,
      { stream, from, to, database, owner, fireTriggers: operation.follow?.fireTriggers === true, signal },
    )
    if (copying.length > 0 && !this.#isPartial) await this.#noteCopied(copying)
    const states = new TableStates()
    const parts = await this.#partsCopied()
    states.load(tables, await ledger.tables(stream, changes), parts)
    // A run that was killed while it built indexes and constraints of these tables has left some.
    const caughtUp = states.reached(changes.position(progress.position))
    const preflight = await target.inspect({
      tables: tables.map((one, at) => ({
        ...one.target,
        catchingUp: states.list[at] !== 'live' && !caughtUp.includes(at),
      })),
      fireTriggers: operation.follow?.fireTriggers === true,
      signal,
    })
    refuse(preflight.refusals, run)
    const { until, proveEveryMs = null, fireTriggers = false } = operation.follow ?? {}
    const goal = {
      position: until === 'caught-up' ? await changes.fence(signal) : null,
      equal: until === 'equal',
      signOff: typeof until === 'object' ? until.signOff : null,
      proveEveryMs,
      watch: within?.watch ?? null,
    }
    const unbuilt: SluiceError[] = []
    await watch?.[Symbol.asyncDispose]()
    const loop = new FollowLoop(
      {
        stream,
        fence: this.#open.fence,
        from: planned.from,
        to: planned.to,
        changes,
        target,
        database,
        ledger,
        tables,
        states,
        parts,
        fireTriggers,
        steering: context.steering,
        run,
        clock: run.clock,
        runId: BigInt(run.runId),
        alerts: alerting.alerts,
        requestedWorkers: operation.follow?.lanes ?? null,
        shared: this.#shared,
        divide: (workers) => divideApplyWorkers(this.#open.parts, sides, ledger, stream, tables, workers),
        build: async (ready) => {
          const reached = ready.flatMap((at) => tables[at] ?? [])
          unbuilt.push(...(await buildLiveObjects(reached, tables, states, { ...context, store: planned.to })))
        },
      },
      startRecord,
      goal,
    )
    context.steering.refusal = (request) => refusedWhileFollowing(request, planned.to)
    const end = await loop.run()
    const followed = {
      stream,
      to: operation.to,
      states,
      changes,
      alerts: alerting.alerts,
      unbuilt: unbuilt[0] ?? null,
    }
    return this.endingWithoutStream(endingOf(copied, end, followed))
  }

  /** Sets copied tables to catch-up; the catch-up position is the source's present position. */
  async #noteCopied(copied: Awaited<ReturnType<OpenStream['ledger']['tables']>>): Promise<void> {
    const { ledger, stream, sides, parts } = this.#open
    const { run } = parts
    // This position is after every snapshot in which a chunk was read.
    const position = sides.changes.text(await sides.changes.fence(run.interrupt.abort))
    const keys = copied.map(({ key }) => key)
    await ledger.noteState(stream, keys, 'catchup', position)
    for (const { source: table } of copied) run.emit({ type: 'follow.table', table, state: 'catchup', position })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#open.heartbeat)
    await this.#open.watch?.[Symbol.asyncDispose]()
    await this.#open.alerting.sent()
    await this.#open.ledger.lease.release(this.#open.stream).catch(() => undefined)
  }
}

/**
 * Builds the requested indexes and constraints of tables that are about to become live. A foreign key is built once
 * both of its tables are live.
 * @returns the errors of objects that could not be built
 */
async function buildLiveObjects(
  reached: readonly FollowTable[],
  all: readonly FollowTable[],
  states: TableStates,
  around: CopyContext & { readonly store: CopyStore },
): Promise<readonly SluiceError[]> {
  if (around.objects === undefined) return []
  const errors: SluiceError[] = []
  const context = ({ name, key, plan }: FollowTable): Parameters<typeof buildObjects>[0] => ({
    name,
    key,
    plan,
    store: around.store,
    signal: around.run.interrupt.abort,
    emit: around.run.emit,
  })
  for (const table of reached)
    errors.push(...(await buildObjects(context(table), around, ({ kind }) => kind !== 'foreign key')).errors)
  const live = all.filter((table, at) => reached.includes(table) || states.list[at] === 'live')
  const whole = new Set(live.map(({ plan }) => tableText(plan.target.table)))
  for (const table of live) {
    const isBetween = (object: Parameters<Parameters<typeof buildObjects>[2]>[0]): boolean =>
      object.kind === 'foreign key' && whole.has(tableText(object.to.table))
    errors.push(...(await buildObjects(context(table), around, isBetween)).errors)
  }
  return errors
}
