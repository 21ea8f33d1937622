/** `cutover`: gives the public name to the table that a stream has filled, and keeps the old one equal from then on. */
import { tableText } from '../../../../model/copy/column-type.ts'
import { dec } from '../../../../model/run/event.ts'
import { isoTime } from '../../../../shared/clock.ts'
import { SluiceError } from '../../../../shared/errors.ts'
import { redactUrl } from '../../../../shared/redact.ts'
import { shellQuote } from '../../../../shared/shell.ts'
import { targetTableNow } from '../../../copy/plan/plan-copy.ts'
import { tableKeyOf } from '../../../copy/ledger/owner.ts'
import { cutoverDocument, identitiesIn } from '../../cutover/document.ts'
import { requestedCutover } from '../../cutover/family.ts'
import type { CutoverChecks } from '../../cutover/cutover-checks.ts'
import { checkReadiness, type CutoverReady } from '../../cutover/readiness.ts'
import { storedOptions } from '../../cutover/reverse-copy.ts'
import { makeReverse, ReverseCreation, reverseFault } from '../../cutover/reverse-stream.ts'
import { betweenOf } from '../../cutover/between/sides.ts'
import {
  capabilitiesOf,
  cleanUp,
  openFamily,
  type StoreCapabilities,
  type OpenedFamily,
} from '../../cutover/open-family.ts'
import type { CutoverRow } from '../../cutover/cutover-row.ts'
import { CutoverWithin, type ClosingFacts } from '../../cutover/cutover-within.ts'
import { streamName } from '../../stream/end-stream.ts'
import { copyOfStream, namedStream } from '../../stream/named-stream.ts'
import type { Ending } from '../../../run/run-context.ts'
import { resumeStream } from '../follow/hints.ts'
import type { CutoverOperation, CutoverRun } from './declaration.ts'
import {
  runReverseStream,
  dryRunResult,
  lateEnding,
  nextFollow,
  notActive,
  nothingToRevert,
  reportingChecks,
  requireNoQuarantine,
  restartHint,
  oppositeCommand,
  readyOrGivenUp,
  requireConfirmed,
} from './ended.ts'
import { cutoverBetween } from './perform-between.ts'

/** Default of the longest time that other sessions wait for the cutover, ms. */
const DEFAULT_PAUSE_MS = 2000

/** @throws SluiceError NO_SUCH_TABLE, BAD_FLAG, NOT_SWITCHABLE, MISSING_CONFIRM, LEDGER_BUSY, NOT_SIGNED … */
export async function performCutover(operation: CutoverOperation, run: CutoverRun): Promise<Ending> {
  const { to: url, stream, revert, dryRun } = operation
  await using between = await betweenOf(operation, stream, run)
  if (between !== null) return await cutoverBetween(operation, between, run)
  await using standing = await openFamily(url, stream, run)
  const wanted = requestedCutover(standing.family, revert)
  if (wanted === 'nothing to revert') {
    throw nothingToRevert(standing.stream.id)
  }
  const able = capabilitiesOf(standing)
  const last = standing.family.turns.at(-1)
  const isNew = last?.status === 'switched'
  if (last !== undefined && isNew && !dryRun) {
    const name = await cleanUp(standing, able, last, run)
    run.emit({ type: 'cutover.step', step: 'cleaned up', detail: `slot and publication ${name} are removed` })
  }
  if (wanted === 'done' && last !== undefined) return await endingIfDone(operation, standing, last, isNew, run)
  return await runCutover(operation, standing, able, run)
}

/** Result if the last cutover already had this direction. */
async function endingIfDone(
  operation: CutoverOperation,
  standing: OpenedFamily,
  last: CutoverRow,
  isNew: boolean,
  run: CutoverRun,
): Promise<Ending> {
  const { store, ledger, family } = standing
  const { identities, names } = identitiesIn(await ledger.document(last.id))
  const there = await targetTableNow(names.public, store, run.interrupt.abort)
  if (there?.identity !== identities.public) {
    throw new SluiceError(
      'PLAN_CHANGED',
      `${last.publicTable} is no longer the table that got this name in the cutover`,
      {
        reason: `according to the ledger, the former ${last.takenTable} has had this name since ${isoTime(last.switchedMs ?? 0)}`,
        hint: 'inspect both tables first: another user has renamed them since',
      },
    )
  }
  const when = isoTime(last.switchedMs ?? 0)
  const detail = `the former ${last.takenTable} has had the name ${last.publicTable} since ${when}; the old table is ${last.oldTable}`
  run.emit({ type: 'cutover.step', step: 'done before', detail })
  if (!isNew || operation.dryRun)
    return {
      totals: { switched: '0' },
      proof: `cutover on ${when}`,
      ...nextFollow(standing.stream, followCommand(operation, family.newest), run),
    }
  return await catchUpReverseStream(
    operation,
    standing,
    family.newest,
    { totals: { switched: '0' }, proof: `cutover on ${when}` },
    run,
  )
}

async function runCutover(
  operation: CutoverOperation,
  opened: OpenedFamily,
  able: StoreCapabilities,
  run: CutoverRun,
): Promise<Ending> {
  const { stream, ledger, family } = opened
  const { to: url, revert, dryRun } = operation
  const checks = reportingChecks(run)
  const copy = copyOfStream(stream, { from: operation.from ?? url, to: url }, {})
  const giveUp = (id: string): Promise<void> =>
    cleanUpAbandoned(opened, able, id, run).catch((error: unknown) => reportCleanupFailure(id, error, run))
  const check = async (): Promise<CutoverReady> => {
    if (stream.status !== 'active') throw notActive(stream, restartHint(family))
    return await checkReadiness(opened, able, copy, operation, checks, run)
  }
  const ready = await readyOrGivenUp(family, { stream, copy, dryRun }, check, giveUp)
  const publicName = tableText(ready.request.from)
  if (dryRun) return dryRunResult(checks)
  const text = `the cutover gives the name ${publicName} to another table: the name is needed as confirmation`
  requireConfirmed(operation, ready.request.from, text)
  // Continue the cutover that a killed run had begun.
  const id = family.preparing[0]?.id ?? run.runId
  const turn = family.turns.length + 1
  const maker = new ReverseCreation()
  const watch = newCutoverTurn({ operation, opened, able, ready, checks, id, turn, maker, run })
  try {
    const ending = await resumeStream(stream, copy, run, { stream: stream.id, watch })
    if (watch.end?.type === 'late') {
      const hint = 'run the same command again; --pause-budget and --tries-for set its time limits'
      const { triesForMs } = operation
      return lateEnding(ending, { said: 'no table was exchanged', hint, tries: watch.tries, triesForMs }, checks)
    }
    if (watch.end?.type !== 'switched') return ending
  } finally {
    await maker.stop()
    const mayBeLeft = watch.isBegun || family.preparing.length > 0
    if (mayBeLeft && (watch.end === null || watch.end.type === 'late')) await giveUp(id)
  }
  const { facts } = watch.end
  await ledger.noteWait(id, facts.pauseMs)
  run.emit({
    type: 'cutover.switched',
    table: publicName,
    parked: tableText(ready.oldTable),
    revert,
    pauseMs: facts.pauseMs,
    waitedMs: facts.waitedMs,
    tries: dec(facts.tries),
    provedRows: dec(facts.proof.rows),
    touchedRows: dec(facts.proof.touched),
    stream: id,
    position: facts.position,
    wayBack: oppositeCommand(operation),
  })
  const name = await cleanUp(opened, able, { id, stream: stream.id }, run)
  run.emit({ type: 'cutover.step', step: 'cleaned up', detail: `slot and publication ${name} are removed` })
  const proof = `${facts.proof.rows} rows equal as of ${facts.proof.position}, ${facts.proof.touched} of them compared again within the cutover`
  return await catchUpReverseStream(operation, opened, id, { totals: { switched: '1' }, proof }, run)
}

/** Timeout of the cleanup, ms. */
const END_MS = 30_000

type CutoverContext = {
  readonly operation: CutoverOperation
  readonly opened: OpenedFamily
  readonly able: StoreCapabilities
  readonly ready: CutoverReady
  readonly checks: CutoverChecks
  readonly id: string
  readonly turn: number
  readonly maker: ReverseCreation
  readonly run: CutoverRun
}

function newCutoverTurn({
  operation,
  opened,
  able,
  ready,
  checks,
  id,
  turn,
  maker,
  run,
}: CutoverContext): CutoverWithin {
  const { ledger, database, stream, store } = opened
  const reverseKey = tableKeyOf(ready.oldTable)
  return new CutoverWithin({
    switches: able.switches,
    request: ready.request,
    identity: ready.identity,
    changes: able.changes,
    source: ready.source,
    begin: () =>
      ledger.begin({
        id,
        stream: stream.id,
        reverse: id,
        turn,
        publicTable: tableText(ready.request.from),
        takenTable: tableText(ready.request.to),
        oldTable: tableText(ready.oldTable),
        actor: run.actor,
        tool: run.tool,
      }),
    reverseStream: () => maker.made((signal) => makeReverse(able.changes, id, ready.taken, run, signal)),
    // No tables: check only slot and publication, because the cutover itself detects changes of the table.
    reverseStreamFault: (made) => maker.fault(() => reverseFault(able.changes, made, [], run.interrupt.abort)),
    closing: (facts: ClosingFacts) =>
      ledger.closing(
        { id, stream: stream.id, reverse: id },
        facts.fence,
        {
          source: redactUrl(operation.to),
          sourceIdentity: store.identity,
          wishes: storedOptions(ready.reverse),
          birth: facts.startRecord,
          position: facts.position,
          key: reverseKey,
          sourceTable: tableText(ready.request.from),
        },
        {
          position: facts.applied,
          tries: facts.tries,
          pauseMs: facts.pauseMs,
          provedRows: facts.proof.rows,
          document: cutoverDocument({
            turn,
            ready,
            gates: checks.all,
            facts,
            operation: { ...operation, budgetMs: operation.budgetMs ?? DEFAULT_PAUSE_MS },
            run,
          }),
        },
        run.tool,
      ),
    hasHappened: async () => {
      const found = await ledger.find(id)
      return found?.status === 'switched' || found?.status === 'done'
    },
    rereadLedger: () => requireNoQuarantine(database, ready.key, checks),
    checks,
    pauseLimitMs: operation.budgetMs ?? DEFAULT_PAUSE_MS,
    triesForMs: operation.triesForMs,
    clock: run.clock,
    signal: run.interrupt.abort,
    report: (step, detail) => run.emit({ type: 'cutover.step', step, detail }),
  })
}

/** Runs the stream that keeps the old table equal, until it has caught up. */
async function catchUpReverseStream(
  operation: CutoverOperation,
  { database, store }: Pick<OpenedFamily, 'database' | 'store'>,
  id: string,
  before: Pick<Ending, 'totals' | 'proof'>,
  run: CutoverRun,
): Promise<Ending> {
  const { to: url, stay } = operation
  const stream = await namedStream(database, id, store.label)
  const next = followCommand(operation, id)
  if (stream.status !== 'active') return { ...before, ...nextFollow(stream, next, run) }
  const copy = copyOfStream(stream, { from: url, to: url }, stay ? {} : { until: 'caught-up' })
  return await runReverseStream({ ...before, next }, copy, stream, run)
}

/** Removes what was created for an abandoned cutover, unless another program now owns the stream. */
async function cleanUpAbandoned(
  { ledger, streams, stream, family }: OpenedFamily,
  { changes, switches }: StoreCapabilities,
  id: string,
  run: CutoverRun,
): Promise<void> {
  if (typeof (await streams.lease.take(stream.id)) !== 'number') return
  try {
    // A program that owned the stream in between may have completed this cutover.
    const row = await ledger.find(id)
    if (row?.status !== 'preparing') return
    // From the second cutover on, this table is the old table: keep its guard.
    if (family.turns.length === 0) {
      for (const { key } of await streams.tables(stream.id, changes))
        await switches.unguard(key, AbortSignal.timeout(END_MS))
    }
    // Do not use the run's abort signal: an aborted run must not leave a slot that retains the log.
    await changes.end(streamName(id), AbortSignal.timeout(END_MS))
    await ledger.giveUp(id)
    run.emit({
      type: 'cutover.step',
      step: 'given up',
      detail: `slot, publication and guard of ${streamName(id)} are removed`,
    })
  } finally {
    await streams.lease.release(stream.id)
  }
}

function reportCleanupFailure(id: string, error: unknown, run: CutoverRun): void {
  const message = `slot and publication ${streamName(id)}, or the guard of the new table, still exist: ${error instanceof Error ? error.message : String(error)}`
  run.emit({ type: 'log', level: 'warn', message, hint: 'run the same command: it uses them, or removes them' })
}

function followCommand({ to }: CutoverOperation, stream: string): string {
  return `sluice follow ${stream} --to ${shellQuote(redactUrl(to))}`
}
