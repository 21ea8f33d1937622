/**
 * A followed copy behind the opening of its stream (`open-stream`): nothing is applied to a table until all of its chunks are there, and changes come after
 * that. The ledger has it all, so that the same command goes on wherever it was broken off, through as many snapshots as it takes.
 */
import { tableText } from '../../../model/copy/column-type.ts'
import type { LogPosition } from '../../../model/copy/change.ts'
import type { SluiceError } from '../../../shared/errors.ts'
import type { Statement } from '../../../model/copy/port.ts'
import type { FollowedStream } from '../../copy/companion.ts'
import type { CopyEvent } from '../../copy/copy-run.ts'
import type { PlannedTable } from '../../copy/plan/plan-copy.ts'
import type { Surroundings } from '../../copy/table/copy-context.ts'
import type { Ending } from '../../run/run-context.ts'
import { buildReached } from './build-reached.ts'
import { ChunkLedger } from '../../copy/ledger/chunks.ts'
import { copiedPart, type CopiedPart } from '../compare/copied-part.ts'
import { divideLanes } from '../apply/divide.ts'
import { refuse, type FollowingParts } from './exam.ts'
import { streamFence } from '../../copy/ledger/streams.ts'
import { openStream, type OpenStream } from './open-stream.ts'
import { refusedWhileFollowing } from './refusals.ts'
import { FollowLoop } from '../apply/loop.ts'
import { refuseOtherTarget } from './same-target.ts'
import { TableStates } from '../progress/table-states.ts'
import { endingOf } from './stream-ending.ts'
import type { SharedProof } from '../together/compare-together.ts'
import { whileShared } from '../together/shared-copies.ts'

export class Following implements FollowedStream {
  readonly #open: OpenStream

  /**
   * Begins a stream for the tables of a plan, or takes over the one that follows them.
   * @throws SluiceError NOT_FOLLOWABLE, BAD_FLAG, TABLE_FOLLOWED, STREAM_HALTED, LEDGER_BUSY where another living program follows them
   */
  static async open(parts: FollowingParts): Promise<Following> {
    return new Following(await openStream(parts))
  }

  private constructor(open: OpenStream) {
    this.#open = open
  }

  /** Takes every event of the run. */
  heard(event: CopyEvent): void {
    this.#open.watch?.heard(event)
  }

  /** What a run comes to that was stopped: an alert may have ended it before anything was followed. */
  unfollowed(ending: Ending): Ending {
    const error = this.#open.watch?.ended ?? null
    if (ending.stopped !== true || error === null) return ending
    const { stopped: _stopped, ...rest } = ending
    return { ...rest, error }
  }

  /**
   * What a look at the source shows is on the disk there. Else a crash takes back commits that nobody waited for (`synchronous_commit = off`): their rows would
   * stay in the target, and no stream tells of what never was.
   */
  settle(): Promise<LogPosition> {
    return this.#open.sides.changes.fence(this.#open.parts.run.interrupt.abort)
  }

  /** Gives a row as long as no other program has the stream. */
  get fence(): Statement {
    return streamFence(this.#open.stream, this.#open.fence)
  }

  /**
   * Tables of the plan that this run copies: of the others the stream says what they hold.
   * @throws SluiceError TARGET_BUSY where transactions of others at the source do not end in time
   */
  async toCopy(): Promise<readonly PlannedTable[]> {
    if (this.#isInPart) return []
    const copying = await this.#copying()
    if (copying.size > 0) await this.#waitForLeftOut()
    return this.#open.parts.planned.tables.filter(({ source }) => copying.has(tableText(source.table)))
  }

  /** Whether this run applies changes to a part of the table, and copies nothing. */
  get #isInPart(): boolean {
    return this.#open.parts.operation.follow?.changesOnly === true
  }

  /** What others of its run have to know of it; null where it is alone. */
  get #shared(): SharedProof | null {
    const { run, database, owner } = this.#open.parts
    const { sharedRun, callOthers: call } = run
    return sharedRun === undefined || call === undefined
      ? null
      : { database, owner, stream: this.#open.stream, sharedRun, call }
  }

  /** @param body copies chunks, which others may take, too, while it does */
  async copying(body: () => Promise<void>): Promise<void> {
    const shared = this.#shared
    if (shared === null) return await body()
    const { owner, database, sharedRun, call } = shared
    const copy = { stream: this.#open.stream, fence: this.#open.fence }
    await whileShared(copy, { database, sharedRun, runId: owner.runId, call }, body)
  }

  /** Names of tables of which not all is copied. */
  async #copying(): Promise<ReadonlySet<string>> {
    const states = await this.#open.ledger.tables(this.#open.stream, this.#open.sides.changes)
    return new Set(states.flatMap(({ source, state }) => (state === 'copying' ? [source] : [])))
  }

  /**
   * Changes of rows that were still to be copied were left out while the copy stood still. One that a stream tells may not be shown yet, while its commit waits for a
   * standby: every snapshot from here on shows it.
   */
  async #waitForLeftOut(): Promise<void> {
    const { run, stopping } = this.#open.parts
    const { changes } = this.#open.sides
    const { position } = await this.#open.ledger.progress(this.#open.stream, changes)
    if (position === this.#open.birth.start) return
    const signal = AbortSignal.any([run.interrupt.abort, stopping])
    const tell = (message: string): void => run.emit({ type: 'log', level: 'note', message })
    await changes.renew?.(this.#open.birth, [], changes.position(position), signal, tell)
  }

  /** What changes are applied to of tables that are copied in part. */
  async #partsCopied(): Promise<ReadonlyMap<string, CopiedPart>> {
    const parts = new Map<string, CopiedPart>()
    if (!this.#isInPart) return parts
    const { database, owner } = this.#open.parts
    const copying = await this.#copying()
    for (const { name, key, plan, source } of this.#open.tables) {
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
    const { ledger, stream, tables, sides, birth, alerting, watch } = this.#open
    const { run, operation, planned, database, owner, within } = this.#open.parts
    const { changes, target } = sides
    const signal = run.interrupt.abort
    await around.views.release()
    const stored = await ledger.tables(stream, changes)
    const copying = stored.filter(({ state }) => state === 'copying')
    const { from, to } = planned
    await refuseOtherTarget(
      tables
        .map((one) => ({ ...one, isCopied: copying.some(({ source }) => source === one.name) }))
        .filter(({ isCopied }) => !isCopied || !this.#isInPart),
      await ledger.progress(stream, changes),
      { stream, from, to, database, owner, signal },
    )
    if (copying.length > 0 && !this.#isInPart) await this.#noteCopied(copying)
    const states = new TableStates()
    const parts = await this.#partsCopied()
    states.load(tables, await ledger.tables(stream, changes), parts)
    const exam = await target.examine({
      tables: tables.map((one, at) => ({ ...one.target, catchingUp: states.list[at] !== 'live' })),
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
      watch: within?.watch ?? null,
    }
    const unbuilt: SluiceError[] = []
    const { alerts } = alerting
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
        steering: around.steering,
        run,
        clock: run.clock,
        runId: BigInt(run.runId),
        alerts,
        lanes: operation.follow?.lanes ?? null,
        shared: this.#shared,
        divide: (lanes) => divideLanes(this.#open.parts, sides, ledger, stream, tables, lanes),
        build: async (ready) => {
          const reached = ready.flatMap((at) => tables[at] ?? [])
          unbuilt.push(...(await buildReached(reached, tables, states, { ...around, store: planned.to })))
        },
      },
      birth,
      goal,
    )
    around.steering.refusal = (wish) => refusedWhileFollowing(wish, planned.to)
    const end = await loop.run()
    const followed = {
      stream,
      to: operation.to,
      states,
      changes,
      alerts,
      unbuilt: unbuilt[0] ?? null,
    }
    return this.unfollowed(endingOf(copied, end, followed))
  }

  /** Tables that are copied catch up with the source as it is now. */
  async #noteCopied(copied: Awaited<ReturnType<OpenStream['ledger']['tables']>>): Promise<void> {
    const { ledger, stream, sides, parts } = this.#open
    const { run } = parts
    // Behind every snapshot that a chunk was read under.
    const position = sides.changes.text(await sides.changes.fence(run.interrupt.abort))
    const keys = copied.map(({ key }) => key)
    await ledger.noteState(stream, keys, 'catchup', position)
    for (const { source: table } of copied) run.emit({ type: 'follow.table', table, state: 'catchup', position })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#open.heart)
    await this.#open.watch?.[Symbol.asyncDispose]()
    await this.#open.ledger.release(this.#open.stream).catch(() => undefined)
    await this.#open.alerting.sent()
  }
}
