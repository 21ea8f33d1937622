/**
 * What makes a copy followed: publication and slot before its first chunk, nothing applied to a table until all of its chunks are there, and the stream after
 * that. The ledger has it all, so that the same command goes on wherever it was broken off, through as many snapshots as it takes.
 */
import { tableText } from '../../model/copy/column-type.ts'
import type { AlertEvent } from '../../model/alert.ts'
import { dec } from '../../model/event.ts'
import { SluiceError } from '../../shared/errors.ts'
import { redactUrl } from '../../shared/redact.ts'
import type { LedgerDatabase } from '../../stores/copy-port.ts'
import type { ChangeSource, ChangeTarget, FollowRefusal, StreamBirth } from '../../stores/follow-port.ts'
import { beat } from '../../stores/lease/heartbeat.ts'
import { Alerts } from '../alerts/alerts.ts'
import { send } from '../alerts/sinks.ts'
import type { CopyRun } from '../copy/copy-run.ts'
import { LEASE_MS, type Owner } from '../copy/ledger/owner.ts'
import type { PlannedCopy, PlannedTable } from '../copy/plan/plan-copy.ts'
import type { Surroundings } from '../copy/surroundings.ts'
import type { CopyOperation } from '../operation.ts'
import type { Ending } from '../run-context.ts'
import { buildReached } from './build-reached.ts'
import { endStream, streamName } from './end-stream.ts'
import { followTable, sourceOf, type FollowTable } from './followed-table.ts'
import { StreamLedger, streamsOf } from './ledger/streams.ts'
import type { StreamRow } from './ledger/stream-row.ts'
import { keyRefusals } from './key-refusals.ts'
import { FollowLoop, halted, type LoopEnd } from './loop.ts'
import { roomRefusal } from './log-room.ts'
import { changesOf } from './progress.ts'
import { refuseCombinations } from './refusals.ts'
import { refuseOtherTarget } from './same-target.ts'
import { TableStates } from './table-states.ts'
import { takeStream } from './take-stream.ts'

export type FollowingParts = {
  readonly operation: CopyOperation
  readonly planned: PlannedCopy
  readonly database: LedgerDatabase
  readonly owner: Owner
  readonly run: CopyRun
}

type Sides = { readonly changes: ChangeSource; readonly target: ChangeTarget }

export class Following implements AsyncDisposable {
  readonly #parts: FollowingParts
  readonly #sides: Sides
  readonly #ledger: StreamLedger
  readonly #stream: string
  readonly #fence: number
  readonly #birth: StreamBirth
  readonly #tables: readonly FollowTable[]
  readonly #heart: NodeJS.Timeout

  /**
   * Begins a stream for the tables of a plan, or takes over the one that follows them.
   * @throws SluiceError NOT_FOLLOWABLE, BAD_FLAG, TABLE_FOLLOWED, STREAM_HALTED, LEDGER_BUSY where another living program follows them
   */
  static async open(parts: FollowingParts): Promise<Following> {
    const { operation, planned, database, owner, run } = parts
    refuseCombinations(operation)
    const sides = sidesOf(planned)
    const ledger = new StreamLedger(database, owner)
    const before = await streamOfPlan(planned, database)
    if (before !== null && !operation.restart) await refuseFaulty(before, parts, sides, ledger)
    for (const { error } of planned.tables) if (error !== null) throw error
    if (operation.restart && before !== null) await begunAnew(parts, before, ledger)
    const found = operation.restart ? null : before
    const tables = await examined(parts, sides, found !== null && found.birth !== null)
    await ledger.prepare()
    const stream = found?.id ?? run.runId
    if (found === null) {
      const begun = {
        id: stream,
        source: redactUrl(operation.from),
        sourceIdentity: planned.from.identity,
        wishes: wishesOf(operation),
      }
      await ledger.begin(
        begun,
        tables.map(({ key, name }) => ({ key, source: name })),
        run.tool,
      )
      await refuseSecond(stream, tables, ledger)
    }
    const fence = await takeStream(ledger, stream, run)
    const heart = beat(LEASE_MS / 3, () => ledger.renew(stream))
    try {
      const birth = found?.birth ?? (await born(parts, sides.changes, ledger, stream, tables))
      const { position } = await ledger.lane(stream, 0)
      const isNew = found?.birth == null
      run.emit({
        type: 'follow.started',
        stream,
        slot: birth.slot,
        position,
        tables: dec(tables.length),
        isNew,
      })
      return new Following(parts, sides, ledger, { stream, fence, birth, tables, heart })
    } catch (error) {
      clearInterval(heart)
      await ledger.release(stream).catch(() => undefined)
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
  }

  /** Tables of the plan that still have to be copied: of the others the stream says what they hold. */
  async toCopy(): Promise<readonly PlannedTable[]> {
    const states = await this.#ledger.tables(this.#stream, this.#sides.changes)
    const copying = new Set(states.flatMap(({ source, state }) => (state === 'copying' ? [source] : [])))
    return this.#parts.planned.tables.filter(({ source }) => copying.has(tableText(source.table)))
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
      this.#tables.filter(({ name }) => copying.every(({ source }) => source !== name)),
      await this.#ledger.lane(this.#stream, 0),
      { from, to, database, owner: this.#parts.owner, signal },
    )
    if (copying.length > 0) {
      // Behind every snapshot that a chunk was read under.
      const fence = await changes.fence(signal)
      const keys = copying.map(({ key }) => key)
      await this.#ledger.noteState(this.#stream, keys, 'catchup', changes.text(fence))
      for (const { source } of copying)
        run.emit({ type: 'follow.table', table: source, state: 'catchup', position: changes.text(fence) })
    }
    const now = new Map((await this.#ledger.tables(this.#stream, changes)).map((one) => [one.source, one]))
    const states = new TableStates(
      this.#tables.map(({ name }) => {
        const { state = 'copying', fence = null } = now.get(name) ?? {}
        return { state, fence }
      }),
    )
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
      proveEveryMs,
    }
    const unbuilt: SluiceError[] = []
    const { alerts, sent } = alertsOf(this.#parts)
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
        fireTriggers,
        steering: around.steering,
        run,
        clock: run.clock,
        runId: BigInt(run.runId),
        alerts,
        build: async (ready) => {
          const reached = ready.flatMap((at) => this.#tables[at] ?? [])
          unbuilt.push(...(await buildReached(reached, this.#tables, states, { ...around, store: planned.to })))
        },
      },
      this.#birth,
      goal,
    )
    let end: LoopEnd
    try {
      end = await loop.run()
    } finally {
      await sent()
    }
    const { why, row, applied, provedAt } = end
    const live = states.list.filter((state) => state === 'live').length
    const totals = {
      ...copied.totals,
      live: dec(live),
      transactions: dec(row.transactions),
      changes: dec(changesOf(row.counts)),
    }
    const upTo = changes.text(applied)
    const ending: Ending = {
      ...copied,
      totals,
      notChecked:
        provedAt === null
          ? `changes up to ${upTo} are applied; this run did not compare the rows`
          : provedAt === upTo
            ? `every row was found equal as of ${provedAt}`
            : `every row was found equal as of ${provedAt}; what came after that, up to ${upTo}, is applied and not compared`,
    }
    if (why === 'stopped') return { ...ending, stopped: true }
    if (why === 'alerted') {
      const causes = alerts?.raised.join(', ') ?? ''
      const hint = 'nothing is lost, slot and position stay: the same command goes on'
      return { ...ending, error: new SluiceError('ALERTED', `an alert ended the run: ${causes}`, { hint }) }
    }
    const [failed] = unbuilt
    return failed === undefined ? ending : { ...ending, error: failed }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#heart)
    await this.#ledger.release(this.#stream).catch(() => undefined)
  }
}

/**
 * Two programs may begin at the same moment. Whoever sees the other's stream beside its own withdraws, so that at most one goes on.
 * @throws SluiceError TABLE_FOLLOWED
 */
async function refuseSecond(stream: string, tables: readonly FollowTable[], ledger: StreamLedger): Promise<void> {
  const all = await streamsOf(
    ledger.database,
    tables.map(({ key }) => key),
  )
  const other = all.find(({ id }) => id !== stream)
  if (other === undefined) return
  await ledger.note(stream, 'ended')
  throw new SluiceError(
    'TABLE_FOLLOWED',
    `another program began stream ${other.id} for these tables at the same moment`,
    {
      hint: 'run the same command again: it goes on with the stream that is there',
    },
  )
}

/** Ends a stream and empties its tables, which nobody but it has filled. */
async function begunAnew({ planned, run }: FollowingParts, stream: StreamRow, ledger: StreamLedger): Promise<void> {
  await endStream(stream, planned.from, ledger, run)
  const target = planned.to.target()
  for (const { plan } of planned.tables)
    if (plan !== null && !plan.create) await target.clear(plan.target, run.interrupt.abort)
}

/**
 * What a stream has lost says more than what keeps its tables from being planned.
 * @throws SluiceError STREAM_HALTED, SLOT_LOST
 */
async function refuseFaulty(
  { id, status, birth, faults: known }: StreamRow,
  { planned, run }: FollowingParts,
  { changes }: Sides,
  ledger: StreamLedger,
): Promise<void> {
  if (status === 'halted') {
    for (const fault of known) run.emit({ type: 'follow.halted', ...fault })
    throw halted(known)
  }
  if (birth === null) return
  const { position } = await ledger.lane(id, 0)
  const tables = planned.tables.map(({ source, plan }) =>
    plan === null ? { table: source, columns: [], identity: [] } : sourceOf(plan),
  )
  const { faults } = await changes.verify(birth, tables, changes.position(position), run.interrupt.abort)
  if (faults.length === 0) return
  await ledger.note(id, 'halted', faults)
  for (const fault of faults) run.emit({ type: 'follow.halted', ...fault })
  throw halted(faults)
}

/** What a plan that is only shown says of following: everything that is in the way, and how long the log may be held back. @throws SluiceError NOT_FOLLOWABLE, BAD_FLAG */
export async function planFollowing(parts: Pick<FollowingParts, 'operation' | 'planned' | 'run'>): Promise<void> {
  refuseCombinations(parts.operation)
  for (const { error } of parts.planned.tables) if (error !== null) throw error
  await examined(parts, sidesOf(parts.planned), false)
}

/** @property sent waits until every alert that was told has reached its sinks */
function alertsOf({ operation, run }: FollowingParts): {
  readonly alerts: Alerts | null
  readonly sent: () => Promise<void>
} {
  const { alert } = operation.follow ?? {}
  const under = new Set<Promise<void>>()
  const sent = async (): Promise<void> => void (await Promise.all(under))
  if (alert === undefined) return { alerts: null, sent }
  const webhook = process.env['SLUICE_ALERT_WEBHOOK']
  const sinks = {
    ...(alert.command === undefined ? {} : { command: alert.command }),
    ...(webhook === undefined || webhook === '' ? {} : { webhook }),
    run: run.runId,
    about: `${redactUrl(operation.from)} -> ${redactUrl(operation.to)}`,
  }
  const tell = (event: AlertEvent): void => {
    run.emit(event)
    const sending = send(event, sinks).then((failures) => {
      for (const message of failures) run.emit({ type: 'log', level: 'warn', message })
      under.delete(sending)
    })
    under.add(sending)
  }
  return { alerts: new Alerts(alert, tell), sent }
}

/** What `follow RUN` needs to do the same again: everything but the URLs, which may hold passwords. */
function wishesOf(operation: CopyOperation): string {
  const { from: _from, to: _to, follow, ...rest } = operation
  // A command of an alert may hold a secret.
  const { until: _until, alert: _alert, ...lasting } = follow ?? {}
  return JSON.stringify({ ...rest, follow: lasting, restart: false })
}

/** @throws SluiceError NOT_FOLLOWABLE */
function sidesOf({ from, to }: PlannedCopy): Sides {
  const changes = from.changeSource?.()
  const target = to.changeTarget?.()
  if (changes === undefined) {
    throw new SluiceError('NOT_FOLLOWABLE', `changes of ${from.system} cannot be followed`, {
      where: from.label,
      hint: 'leave --follow out; --again compares the tables once more whenever it is run',
    })
  }
  if (target === undefined) {
    throw new SluiceError('NOT_FOLLOWABLE', `${to.system} cannot follow a source`, {
      where: to.label,
      reason: 'rows and the position of the stream have to change in one transaction',
      hint: 'leave --follow out; --again compares the tables once more whenever it is run',
    })
  }
  return { changes, target }
}

/** @throws SluiceError TABLE_FOLLOWED where a stream follows other tables as well, or these from elsewhere */
async function streamOfPlan(planned: PlannedCopy, database: LedgerDatabase): Promise<StreamRow | null> {
  const [found, ...more] = await streamsOf(
    database,
    planned.tables.map((one) => keyOf(one, planned)),
  )
  if (found === undefined) return null
  const rows = await database.all('SELECT source_table FROM migration_stream_tables WHERE stream_id = ?', [found.id])
  const known = rows.map(([name]) => String(name))
  const wanted = new Set(planned.tables.map(({ source }) => tableText(source.table)))
  const isSame = more.length === 0 && known.length === wanted.size && known.every((name) => wanted.has(name))
  if (isSame && found.sourceIdentity === planned.from.identity) return found
  throw new SluiceError('TABLE_FOLLOWED', `stream ${found.id} follows ${known.join(', ')}`, {
    reason: isSame ? `it reads from ${found.source}` : 'a run of a stream names all of its tables, and no others',
    hint: `go on with sluice follow ${found.id}, or end it first with sluice follow ${found.id} --end`,
  })
}

/** As the ledger names the target's table; of a table that cannot be planned, as it would. */
function keyOf({ source, targetName }: PlannedTable, { from, to }: PlannedCopy): FollowTable['key'] {
  const own = from.can.keepsSchemas === true && to.can.keepsSchemas === true ? source.table.schema : to.schema
  return { schema: targetName.schema ?? own ?? '', name: targetName.name }
}

/** Looks at both sides before anything is made. @param isBorn the slot is there, and needs no room any more @throws SluiceError NOT_FOLLOWABLE */
async function examined(
  { operation, planned, run }: Pick<FollowingParts, 'operation' | 'planned' | 'run'>,
  { changes, target }: Sides,
  isBorn: boolean,
): Promise<readonly FollowTable[]> {
  const signal = run.interrupt.abort
  const plans = planned.tables.flatMap(({ plan }) => plan ?? [])
  const exam = await changes.examine(plans.map(sourceOf), signal)
  refuse(
    exam.refusals.filter(({ table }) => !isBorn || table !== undefined),
    run,
  )
  if (!isBorn) refuse(roomRefusal(exam.wal, planned, run), run)
  const tables = planned.tables.flatMap((one, at) =>
    one.plan === null ? [] : [followTable(one.plan, keyOf(one, planned), exam.identities[at] ?? [])],
  )
  if (!isBorn) refuse(tables.flatMap(keyRefusals), run)
  const there = tables.filter(({ plan }) => !plan.create)
  const told = await target.examine({
    tables: there.map((one) => ({ ...one.target, ...(isBorn ? {} : { catchingUp: true }) })),
    fireTriggers: operation.follow?.fireTriggers === true,
    signal,
  })
  refuse(told.refusals, run)
  for (const message of [...(isBorn ? [] : exam.notes), ...told.notes])
    run.emit({ type: 'log', level: 'note', message })
  return tables
}

/** @throws SluiceError NOT_FOLLOWABLE with the first of them; all are told */
function refuse(refusals: readonly FollowRefusal[], run: CopyRun): void {
  const [first] = refusals
  if (first === undefined) return
  const where = ({ table }: FollowRefusal): { readonly table?: string } =>
    table === undefined ? {} : { table: tableText(table) }
  for (const one of refusals.slice(1))
    run.emit({ type: 'log', level: 'error', message: one.message, hint: one.hint, ...where(one) })
  throw new SluiceError('NOT_FOLLOWABLE', first.message, { hint: first.hint })
}

/** Makes publication and slot. */
async function born(
  { run }: FollowingParts,
  changes: ChangeSource,
  ledger: StreamLedger,
  stream: string,
  tables: readonly FollowTable[],
): Promise<StreamBirth> {
  const sources = tables.map((one) => one.source)
  const birth = await changes.begin(streamName(stream), sources, run.interrupt.abort, (message) =>
    run.emit({ type: 'log', level: 'note', message }),
  )
  await ledger.born(stream, birth)
  return birth
}
