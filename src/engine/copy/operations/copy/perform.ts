/** `copy`: tables of one store into another, in chunks that are proved, so that the same command goes on wherever it was broken off. */
import { tableText } from '../../../../model/copy/column-type.ts'
import { exitOfStop } from '../../../../shared/abort.ts'
import { redactUrl } from '../../../../shared/redact.ts'
import type { TableContext } from '../../table/context.ts'
import { copyTables, startTables } from '../../table/copy-tables.ts'
import { compareAgain } from '../../again/compare-table.ts'
import { againPlan } from '../../again/plan-again.ts'
import { refusedForAgain } from '../../again/delete-extra.ts'
import { refuseTargetUrl } from '../../../follow/stream/refusals.ts'
import { refuseFollowed } from '../../../follow/stream/refuse-followed.ts'
import { endOf } from '../../table/ending.ts'
import { finishTable } from '../../table/finish-table.ts'
import { heedWishes } from '../../workers/control.ts'
import { beatOfCopy } from '../../workers/heartbeat.ts'
import { AGAIN_OPERATION } from '../../ledger/adopt-repairs.ts'
import { refuseUnknownTables } from '../../look/look-earlier.ts'
import { ChunkLedger } from '../../ledger/chunks.ts'
import { CLOSED } from '../../ledger/stored-chunk.ts'
import { begunPlans } from '../../ledger/begun-plans.ts'
import { tableKeyOf, type Owner } from '../../ledger/owner.ts'
import { RunLedger } from '../../ledger/runs.ts'
import { beginLedger } from '../../ledger/elsewhere.ts'
import { hasLedger } from '../../ledger/schema.ts'
import { SharedRestarts } from '../../ledger/shared-restarts.ts'
import { SharedTables } from '../../ledger/shared-tables.ts'
import { ledgerUnderAbort } from '../../ledger/under-abort.ts'
import { objectWork } from '../../objects/build-objects.ts'
import { planObjects } from '../../objects/plan-objects.ts'
import { isMissingFile, openCopyStore, openSourceStore, optionsOf } from '../../open-stores.ts'
import { retryMsOf } from '../../workers/failure.ts'
import { openPatiently, patiently } from '../../workers/patience.ts'
import { planLeftBehind } from '../../plan/left-behind.ts'
import { settingsRefused } from '../../plan/rows-left.ts'
import { asBegun, asPlaced, planCopy, type PlannedCopy, type Planner } from '../../plan/plan-copy.ts'
import { openTokens, tokensOfChunks } from '../../plan/ring-plan.ts'
import { emitPlan, endOfPlan, type Standing } from '../../plan/plan-event.ts'
import { hashOf, isHashOf } from '../../plan/plan-hash.ts'
import { reclaimExpired } from '../../workers/reclaim.ts'
import { runWorkers } from '../../workers/runner.ts'
import { WeakWrites } from '../../compat/script/weak-writes.ts'
import { SharedCount } from '../../workers/shared-count.ts'
import { SlowTarget } from '../../workers/slow-target.ts'
import type { Surroundings } from '../../table/copy-context.ts'
import type { TableRun } from '../../table/table-run.ts'
import { Steering } from '../../workers/steering.ts'
import { toldThrottle } from '../../workers/throttle-events.ts'
import { CopyTrack } from '../../compat/cdm/copy-track.ts'
import { ToldRuns } from '../../compat/cdm/told-runs.ts'
import { askingOnce, Views } from '../../source-views.ts'
import { whilePaused } from '../../../run/pause.ts'
import type { CopyStore, Extent } from '../../../../model/copy/port.ts'
import { onSide } from '../../sides.ts'
import { derivedStore } from '../../../../stores/common/derived/index.ts'
import { refuseForeignAmong } from '../../../../stores/common/ledger-tables.ts'
import { steeredEvent } from '../../../run/steered.ts'
import type { CopyOperation } from './declaration.ts'
import type { Ending } from '../../../run/run-context.ts'
import type { CopyRun } from '../../copy-run.ts'
import type { FollowingParts } from '../../../follow/stream/exam.ts'
import type { Following } from '../../../follow/stream/following.ts'
import type { Within } from '../../../follow/progress/watch.ts'

/** More can be asked for while it runs, up to so many. */
const MOST_WORKERS = 64

/**
 * @param within of a copy that is followed: the stream that it goes on with, and who watches it
 * @throws SluiceError whatever keeps the copy from starting; what hinders single tables is told with them
 */
export async function copy(given: CopyOperation, asked: CopyRun, within?: Within): Promise<Ending> {
  if (given.follow !== undefined) refuseTargetUrl(given.to)
  let operation = given
  let track: CopyTrack | null = null
  let told: ToldRuns | null = null
  let stream: Following | null = null
  const run: CopyRun = {
    ...asked,
    emit: (event) => {
      track?.event(event)
      told?.event(event)
      stream?.heard(event)
      asked.emit(event)
    },
  }
  // Outside of the hours that it keeps not even the source is looked at.
  if (asked.control?.onWish === undefined) await whilePaused(run)
  const steering = new Steering(operation.workers, operation.rate ?? null, run.control, run.interrupt.stop)
  steering.onWish = (wish) => run.emit(steeredEvent(wish))
  const throttle = toldThrottle(run, steering)
  const pulse = new SlowTarget(run.clock, throttle, (latency) => run.emit({ type: 'target.latency', ...latency }))
  const weak = new WeakWrites()
  const options = optionsOf(run)
  const opened = <T>(body: () => Promise<T>): Promise<T> => openPatiently(body, { emit: run.emit }, steering.stop)
  await using from = derivedStore(
    await opened(() =>
      openSourceStore(operation.from, operation.cassandra, {
        yields: true,
        ...options,
        ...(operation.follow === undefined ? {} : { moving: true }),
      }),
    ),
    operation,
  )
  const again = <T>(body: () => Promise<T>): Promise<T> =>
    patiently(body, { emit: run.emit, retryMs: retryMsOf(from) }, steering.stop)
  await using views = new Views(from, run.interrupt.abort)
  if (operation.follow === undefined) await again(() => views.current())
  const extents = new Map<string, Extent>()
  const planning: Planner = {
    views: operation.follow === undefined ? views : askingOnce(views),
    again,
    signal: run.interrupt.abort,
    // A stream brings what comes after a look, so each plan looks anew.
    ...(operation.follow === undefined ? { extents } : {}),
  }
  // A copy that is refused leaves no file behind: it is planned beside an empty database, and ends there.
  const isRefused =
    !operation.dryRun && isMissingFile(operation.to) && (await isRefusedWhole(operation, from, planning, run))
  await using to = await opened(() =>
    openCopyStore(operation.to, {
      mode: operation.dryRun || isRefused ? 'plan' : 'write',
      ...options,
      ...(operation.batchRows === undefined ? {} : { rowsPerInsert: operation.batchRows }),
      onThrottle: ({ status, waitMs }) =>
        throttle.pressed(`the target answers ${status}, and asks to wait ${Math.ceil(waitMs / 1000)} s`),
      ...(operation.cassandra === undefined ? {} : { cassandra: operation.cassandra }),
      onWeakWrite: (table, key) => weak.note(table, key),
    }),
  )
  const isAnew = operation.restart && run.sharedRun !== undefined && !operation.dryRun
  if (isAnew && operation.follow !== undefined) operation = { ...operation, restart: !(await hasBegunAnew(to, run)) }
  const wished = await wishedOf(operation, from, to)
  const planner: Planner = {
    ...planning,
    ...(wished === null || operation.restart ? {} : { followed: wished.tables }),
  }
  let planned = refusedForAgain(await planCopy(operation, from, to, planner), operation)
  const planHash = hashOf(planned.tables.map(({ plan, error }) => plan?.hash ?? error?.code))
  if (operation.dryRun) planned = refusedForAgain(await inNotedPlaces(planned, operation, planner), operation)
  extents.clear()
  steering.tables = planned.tables.map(({ source }) => tableText(source.table))
  const byPattern = operation.tables.some((pattern) => pattern.includes('*'))
  const besideOf = async (some: PlannedCopy) => ({
    objects: await again(() => planObjects(some, operation.with ?? [], run.interrupt.abort)),
    // A switch tells by itself what becomes of it.
    left: within === undefined ? await again(() => planLeftBehind(some, byPattern, run.interrupt.abort)) : [],
  })
  let { objects, left } = await besideOf(planned)
  if (operation.dryRun) {
    // Without a ledger of its own a plan creates nothing; what would hinder the run's is told.
    refuseForeignAmong(await again(() => onSide('target', () => to.tables('migration_*', run.interrupt.abort))))
    if (operation.follow !== undefined)
      await (await import('../../../follow/stream/exam.ts')).planFollowing({ operation, planned, run })
    emitPlan(planned, planHash, [], run, objects, left, await notesOfAgain(planned, operation, to))
    return { ...endOfPlan(planned), ...(left.length === 0 ? {} : { leftBehind: left }) }
  }
  refuseUnknownNames(operation, planned.tables)
  await using database = ledgerUnderAbort(await to.ledger(), run.interrupt)
  await beginLedger(planned, database, run.interrupt.abort)
  const owner: Owner = { ...run.owner, runId: BigInt(run.runId) }
  const runs = new RunLedger(database, owner)
  const beginsAnew = isAnew || (operation.follow?.resync ?? []).length > 0 || operation.follow?.moved === true
  const restarts = beginsAnew && run.sharedRun !== undefined ? new SharedRestarts(database, run.sharedRun) : undefined
  await restarts?.prepare()
  const asNoted = (some: PlannedCopy, wish: CopyOperation): Promise<PlannedCopy> =>
    (wish.restart ? asPlaced : asBegun)(some, wish, planner, begunPlans(database))
  if (restarts !== undefined && operation.restart) {
    const keys = (await asNoted(planned, operation)).tables.map(({ targetName }) => tableKeyOf(targetName))
    operation = { ...operation, restart: !(await restarts.haveChunks(keys)) }
  }
  const begun = await asNoted(planned, operation)
  if (begun.tables.some((one, at) => one !== planned.tables[at])) ({ objects, left } = await besideOf(begun))
  planned = begun
  if (operation.follow === undefined)
    await refuseFollowed(
      to,
      { database, signal: run.interrupt.abort },
      planned.tables.map(({ targetName }) => tableKeyOf(targetName)),
    )
  const readsAll = operation.againWhenDone === true && !(await CopyTrack.goesOn({ operation, to, database }, planned))
  if (readsAll && (await isDone(planned, { database, owner, runs }))) {
    operation = { ...operation, again: true }
    planned = refusedForAgain(planned, operation)
    const message =
      'earlier runs copied all of it: every row is read and compared once more, and written where it differs'
    run.emit({ type: 'log', level: 'note', message })
  }
  if (operation.follow !== undefined) operation = { ...operation, noLook: true }
  await runs.start(
    {
      operation: operation.again === true ? AGAIN_OPERATION : 'copy',
      source: redactUrl(operation.from),
      target: redactUrl(operation.to),
      planHash,
      command: run.commandLine,
      tool: run.tool,
      actor: run.actor,
    },
    true,
  )
  const shared = run.sharedRun === undefined ? null : new SharedTables(database, run.sharedRun)
  await shared?.begin(
    planned.tables.map(({ targetName }) => tableKeyOf(targetName)),
    await runs.startedMs(),
  )
  track = CopyTrack.of({ operation, run, to, database, owner }, planned)
  const ranges = await again(async () => (await track?.before(planned)) ?? null)
  if (ranges !== null) {
    const open = { ...operation, ring: { ...operation.ring, ranges } }
    planned = await asNoted(refusedForAgain(await planCopy(open, from, to, planner), operation), open)
  }
  // Before the first chunk is read: what is committed from here on comes in the stream.
  await using following =
    operation.follow === undefined
      ? null
      : await openFollowing(
          {
            operation,
            planned,
            wished,
            database,
            owner,
            run,
            stop: () => steering.heed({ act: 'stop' }),
            stopping: steering.stop,
            ...(within === undefined ? {} : { within }),
            ...(restarts === undefined ? {} : { restarts }),
          },
          runs,
        )
  if (following !== null) {
    stream = following
    views.settle = () => following.settle()
    // Heeded once it follows: until then there are chunks, and no lanes.
    const { lanesRefusal } = await import('../../../follow/stream/refusals.ts')
    steering.refusal = (wish) => (wish.act === 'lanes' ? lanesRefusal(wish.lanes, to) : null)
  }
  const tables: TableRun[] = []
  const reclaim = async ({ name, ledger }: TableContext): Promise<void> => {
    for (const { chunk, why } of await reclaimExpired(database, ledger)) {
      run.emit({ type: 'chunk.released', table: name, chunk: String(chunk.no), reason: why })
    }
  }
  const heart = beatOfCopy(database, owner, async () => {
    // A frozen owner's session may hold locks that every worker waits for.
    if (to.can.atomic === 'chunk') for (const { context, done } of tables) if (context && !done) await reclaim(context)
  })
  heedWishes(run, steering)
  const ticks = setInterval(() => pulse.look(), 200).unref()
  const steerable = run.steerBy?.(steering)
  const isCounted = shared !== null && operation.again !== true && run.ledgerTotals !== undefined
  const count = isCounted ? new SharedCount(shared, run.ledgerTotals, run.clock) : null
  try {
    const work = objectWork(objects, planned, database, owner, operation.workers)
    // A followed table gets its unique values and its foreign keys when it has caught up.
    const now = following === null ? work : {}
    const around: Surroundings = {
      operation,
      run,
      views,
      from,
      left,
      database,
      owner,
      runs,
      steering,
      throttle,
      pulse,
      weak,
      ...(shared === null ? {} : { shared }),
      ...(restarts === undefined || !isAnew ? {} : { restarts }),
      ...(following === null ? {} : { fence: following.fence }),
      ...now,
    }
    emitPlan(
      planned,
      planHash,
      await standings(planned, around),
      run,
      objects,
      left,
      await againPlan(planned, operation, database),
    )
    const copied = following === null ? planned.tables : await following.toCopy()
    const elsewhere = await startTables(copied, tables, planned, around)
    await again(async () => track?.begin(planned, tables))
    told = new ToldRuns(operation, track)
    for (const event of told.begin(planned, tables)) run.emit(event)
    const worked = (some: readonly TableRun[]): Promise<void> =>
      runWorkers({
        tables: some,
        workers: Math.min(MOST_WORKERS, to.can.writers),
        steering,
        part: operation.part ?? null,
        abort: run.interrupt.abort,
        clock: run.clock,
        finish: async (table, context) => {
          // What is compared comes when everything is copied, table by table.
          if (operation.again !== true) await finishTable(table, context, around)
        },
        reclaim,
      })
    const copying = (): Promise<void> => copyTables(tables, elsewhere, planned, around, worked)
    await (following === null || tables.length === 0 ? copying() : following.copying(copying))
    for (const table of tables) await compareAgain(table, around)
    let ending = await endOf(tables, around)
    if (following !== null && ending.error === undefined && ending.stopped !== true)
      ending = await following.follow(ending, { ...around, ...work })
    else if (following !== null) ending = following.unfollowed(ending)
    await track?.end()
    for (const event of told.end()) run.emit(event)
    const status = ending.stopped === true ? 'stopped' : ending.error === undefined ? 'completed' : 'failed'
    const exitCode = ending.stopped === true ? exitOfStop(run.interrupt) : (ending.error?.exitCode ?? 0)
    try {
      await runs.finish(status, exitCode, ending.error?.message ?? null)
    } catch (thrown) {
      // What kept the copy from its end often keeps the ledger from being written too, and says more.
      if (status === 'completed') throw thrown
    }
    const refused = tables.flatMap(({ context }) =>
      context === null ? [] : settingsRefused(context.plan, context.target),
    )
    const all = [...left, ...refused]
    return { ...ending, ...(all.length === 0 ? {} : { leftBehind: all }) }
  } catch (thrown) {
    await track?.end()
    await runs.broken(thrown)
    throw thrown
  } finally {
    clearInterval(heart)
    clearInterval(ticks)
    steerable?.[Symbol.dispose]()
    await count?.end()
  }
}

/**
 * Whether no table can be copied into a file that is not there yet.
 * @throws SluiceError whatever keeps the copy as a whole from being planned
 */
async function isRefusedWhole(
  operation: CopyOperation,
  from: CopyStore,
  planner: Planner,
  run: CopyRun,
): Promise<boolean> {
  await using empty = await openCopyStore(operation.to, { mode: 'plan' })
  const planned = refusedForAgain(await planCopy(operation, from, empty, planner), operation)
  refuseUnknownNames(operation, planned.tables)
  if (operation.follow !== undefined) {
    const events: Parameters<CopyRun['emit']>[0][] = []
    const quiet = { ...run, emit: (event: (typeof events)[number]) => void events.push(event) }
    try {
      await (await import('../../../follow/stream/exam.ts')).planFollowing({ operation, planned, run: quiet })
    } catch (thrown) {
      // What goes well is told when it is looked at again.
      for (const event of events) run.emit(event)
      throw thrown
    }
  }
  return planned.tables.every(({ error }) => error !== null)
}

/** @throws SluiceError BAD_FLAG for tables that --accept-difference names and that are not copied */
function refuseUnknownNames({ acceptDifference = [] }: CopyOperation, tables: PlannedCopy['tables']): void {
  refuseUnknownTables(
    acceptDifference,
    tables.map(({ source, targetName }) => [
      tableText(source.table),
      source.table.name,
      targetName.name,
      tableText(targetName),
    ]),
  )
}

/** A plan that is only shown is one of what the command says. */
async function wishedOf(operation: CopyOperation, from: CopyStore, to: CopyStore): Promise<FollowingParts['wished']> {
  if (operation.follow === undefined || operation.dryRun) return null
  return await (await import('../../../follow/stream/wished-stream.ts')).wishedStream(operation, from.identity, to)
}

/** Whether a turn before this one has begun the stream of the run anew. */
async function hasBegunAnew(to: CopyStore, { sharedRun = '' }: CopyRun): Promise<boolean> {
  await using database = await onSide('target', () => to.ledger())
  return await new SharedRestarts(database, sharedRun).hasStream()
}

/** @throws as `Following.open`; the run ends with it */
async function openFollowing(parts: FollowingParts, runs: RunLedger): Promise<Following> {
  try {
    return await (await import('../../../follow/stream/following.ts')).Following.open(parts)
  } catch (thrown) {
    await runs.broken(thrown)
    throw thrown
  }
}

/** Of a plan that is only shown: tables of a target with schemas where the run would find them by the ledger. */
async function inNotedPlaces(planned: PlannedCopy, operation: CopyOperation, planner: Planner): Promise<PlannedCopy> {
  const { to } = planned
  if (to.can.keepsSchemas !== true) return planned
  await using database = await onSide('target', () => to.ledger())
  return (await hasLedger(database)) ? await asPlaced(planned, operation, planner, begunPlans(database)) : planned
}

/** Of a plan that is only shown: the ledger is looked at, and nothing is made in it. */
async function notesOfAgain(
  planned: PlannedCopy,
  operation: CopyOperation,
  to: CopyStore,
): Promise<readonly (readonly string[])[]> {
  if (operation.again !== true || planned.tables.every(({ plan }) => plan?.create !== false)) return []
  await using database = await to.ledger()
  return await againPlan(planned, operation, database)
}

/** Whether earlier runs have copied everything under the same plan. */
async function isDone(
  planned: PlannedCopy,
  around: Pick<Surroundings, 'database' | 'owner' | 'runs'>,
): Promise<boolean> {
  const found = await standings(planned, around)
  return found.length > 0 && found.every((standing) => standing === 'done')
}

/** What the ledger knows of each table, for the plan that is shown. */
async function standings(
  planned: PlannedCopy,
  { database, owner, runs }: Pick<Surroundings, 'database' | 'owner' | 'runs'>,
): Promise<readonly Standing[]> {
  const all: Standing[] = []
  for (const { targetName, plan, ring } of planned.tables) {
    const key = tableKeyOf(targetName)
    const known = plan === null ? null : await runs.plan(key)
    if (plan === null || known === null || !isHashOf(known.hash, planned.from.identity, plan)) {
      all.push('new')
      continue
    }
    const ledger = new ChunkLedger(database, key, owner)
    if (ring !== null) {
      all.push(
        known.planned && openTokens(ring, await tokensOfChunks(ring, ledger.each(CLOSED))).length === 0
          ? 'done'
          : 'begun',
      )
      continue
    }
    const left = await ledger.claims.left(null)
    all.push(known.planned && !left.pending && !left.held && !left.failed ? 'done' : 'begun')
  }
  return all
}
