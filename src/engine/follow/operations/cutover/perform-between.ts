/** `cutover` between two databases: moves the writers to the other database, and keeps the first one equal. */
import { tableText, type TableName } from '../../../../model/copy/column-type.ts'
import type { SideAddress } from '../../../../model/follow/switch-side-port.ts'
import { dec } from '../../../../model/run/event.ts'
import { isoTime } from '../../../../shared/clock.ts'
import { asSluiceError, SluiceError } from '../../../../shared/errors.ts'
import { redactUrl } from '../../../../shared/redact.ts'
import { shellQuote } from '../../../../shared/shell.ts'
import { tableKeyOf } from '../../../copy/ledger/owner.ts'
import { documentOf, documentText } from '../../cutover/between/document.ts'
import { givenUp, finishLeftOver, warnOpenSource } from '../../cutover/between/left-over.ts'
import { betweenReady, noCutoverBack, requireParents, type BetweenReady } from '../../cutover/between/readiness.ts'
import { cutoverCapabilities, betweenOf, type CutoverCapabilities, type Between } from '../../cutover/between/sides.ts'
import { BetweenCutover } from '../../cutover/between/cutover.ts'
import type { BetweenFacts, BetweenParts, DocumentFacts } from '../../cutover/between/cutover-facts.ts'
import { recordReverseStreams } from '../../cutover/between/record-reverse.ts'
import type { BlockedTime } from '../../cutover/approach.ts'
import { requestedCutover } from '../../cutover/family.ts'
import type { CutoverChecks } from '../../cutover/cutover-checks.ts'
import { storedOptions } from '../../cutover/reverse-copy.ts'
import { makeReverse, ReverseCreation, reverseFault } from '../../cutover/reverse-stream.ts'
import type { CutoverRow } from '../../cutover/cutover-row.ts'
import { streamName } from '../../stream/end-stream.ts'
import { streamNamed } from '../../../copy/ledger/stream-lookup.ts'
import { runShell } from '../../../run/alerts/shell.ts'
import { copyOfStream } from '../../stream/named-stream.ts'
import type { Ending } from '../../../run/run-context.ts'
import { resumeStream } from '../follow/hints.ts'
import type { CutoverOperation, CutoverRun } from './declaration.ts'
import {
  runReverseStream,
  dryRunResult,
  isConfirmed,
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

/** Default for how long writers of the source may be blocked, ms. */
export const BETWEEN_BUDGET_MS = 10_000

/** Timeout of the --on-switch command, ms: after that it is killed. */
const HOOK_MS = 300_000

type Announcement = {
  readonly revert: boolean
  /** The table to which users write now, and its address. */
  readonly table: TableName
  readonly address: SideAddress
  /** The stream that keeps the old table equal. */
  readonly stream: string
}

/** @throws SluiceError as `cutover`; HOOK_FAILED */
export async function cutoverBetween(operation: CutoverOperation, between: Between, run: CutoverRun): Promise<Ending> {
  const { family, stream } = between
  const { revert, dryRun } = operation
  const able = cutoverCapabilities(between)
  const wanted = requestedCutover(family, revert)
  const [left] = family.preparing
  const isWanted = (table: TableName): boolean => wanted === 'next' && isConfirmed(operation, table)
  const settled = left === undefined || dryRun ? null : await finishLeftOver(between, able, left, isWanted, run)
  if (settled?.isOpen === true) {
    await using again = await betweenOf(operation, stream.id, run)
    if (again === null) throw new Error('a database disappeared during the check')
    return await cutoverBetween(operation, again, run)
  }
  // Remove what is left of a cutover whose direction is no longer requested.
  if (left !== undefined && !dryRun && wanted !== 'next')
    await givenUp(between, able, left.id, (detail) => run.emit({ type: 'cutover.step', step: 'given up', detail }))
  if (wanted === 'nothing to revert') {
    throw nothingToRevert(stream.id)
  }
  const last = family.turns.at(-1)
  if (wanted === 'done' && last !== undefined) return await alreadyDone(operation, between, last, run)
  // Remove what an earlier cutover has left. Do not run its hook, which is for the other direction.
  if (last !== undefined && last.status !== 'done' && !dryRun) await cleanUpCutover(between, last, run)
  return await switched(operation, between, able, settled?.waited, run)
}

/** Result if the last cutover already had this direction. `closes` is then the database that it opened. */
async function alreadyDone(
  operation: CutoverOperation,
  between: Between,
  last: CutoverRow,
  run: CutoverRun,
): Promise<Ending> {
  const { closes: now } = between
  const when = isoTime(last.switchedMs ?? 0)
  const detail = `${last.publicTable} of ${now.store.label} has received the writes since ${when}`
  run.emit({ type: 'cutover.step', step: 'done before', detail })
  await warnOpenSource(between, last, run)
  const before = { totals: { switched: '0' }, proof: `cutover on ${when}` }
  if (operation.dryRun || (last.status === 'done' && !operation.stay))
    return { ...before, ...nextFollow(between.stream, followCommand(between, last.reverse), run) }
  return await finishCutover(operation, between, last, before, run)
}

async function switched(
  operation: CutoverOperation,
  between: Between,
  able: CutoverCapabilities,
  earlier: BlockedTime | undefined,
  run: CutoverRun,
): Promise<Ending> {
  const { closes, opens, stream, family } = between
  const { dryRun, unsigned, revert, keepSessions } = operation
  const gates = reportingChecks(run)
  const copy = copyOfStream(stream, { from: closes.url, to: opens.url }, {})
  const giveUp = (id: string): Promise<void> =>
    givenUp(between, able, id, (detail) => run.emit({ type: 'cutover.step', step: 'given up', detail })).catch(
      (error: unknown) => leftBehind(id, error, run),
    )
  const check = async (): Promise<BetweenReady> => {
    if (stream.status !== 'active') throw notActive(stream, restartHint(family), followCommand(between, stream.id))
    return await betweenReady(between, able, copy, { unsigned, revert, keepSessions }, gates, run)
  }
  const ready = await readyOrGivenUp(family, { stream, copy, dryRun }, check, giveUp)
  const name = tableText(ready.from)
  if (dryRun) return dryRunResult(gates)
  const text = `writers of ${name} move to another database: the table's name is needed as confirmation`
  const reason = ready.refusedBack === null ? undefined : noCutoverBack(ready.refusedBack).message
  requireConfirmed(operation, ready.from, text, reason)
  // Continue the cutover that a killed run had begun.
  const id = family.preparing[0]?.id ?? run.runId
  const maker = new ReverseCreation()
  const watch = cutoverOf({ operation, between, able, ready, gates, id, maker, earlier, run })
  try {
    const ending = await resumeStream(stream, copy, run, { stream: stream.id, watch })
    if (watch.end?.type === 'late') {
      const hint = 'the source is open; run the same command again (--pause-budget and --tries-for set its time limits)'
      const { triesForMs } = operation
      return lateEnding(ending, { said: 'the cutover was not made', hint, tries: watch.tries, triesForMs }, gates)
    }
    if (watch.end?.type !== 'switched') return ending
  } finally {
    await maker.stop()
    if ((watch.isBegun || family.preparing.length > 0) && watch.end?.type !== 'switched') await giveUp(id)
  }
  const { facts } = watch.end
  await opens.switches.noteWait(id, facts.pauseMs)
  reportSwitched(operation, between, ready, id, facts, run)
  const proof = `${facts.rows} rows equal before, ${facts.touched} of them compared again as of position ${facts.fence}`
  await using after = await betweenOf(operation, stream.id, run)
  const row = after?.family.turns.at(-1)
  if (after === null || row === undefined) throw new Error('the cutover that was made is no longer in the ledger')
  return await finishCutover(operation, after, row, { totals: { switched: '1' }, proof }, run)
}

type CutoverContext = {
  readonly operation: CutoverOperation
  readonly between: Between
  readonly able: CutoverCapabilities
  readonly ready: BetweenReady
  readonly gates: CutoverChecks
  readonly id: string
  readonly maker: ReverseCreation
  /** How long attempts of killed programs blocked writers. */
  readonly earlier: BlockedTime | undefined
  readonly run: CutoverRun
}

function cutoverOf(cutoverContext: CutoverContext): BetweenCutover {
  const { operation, between, able, ready, gates: checks, id, maker, earlier, run } = cutoverContext
  const { opens, stream, family } = between
  const { from, to } = ready
  const document = documentWriter(cutoverContext)
  const [publicTable, oldTable] = [tableText(to), tableText(from)]
  const noted = { id, stream: stream.id, reverse: id, turn: family.turns.length + 1, publicTable, oldTable }
  const { actor, tool } = run
  return new BetweenCutover({
    id,
    stream: stream.id,
    ...able,
    from,
    to,
    identity: ready.identity,
    steps: opens.steps,
    begin: () =>
      opens.switches.begin(
        { ...noted, takenTable: publicTable, actor, tool },
        document(earlier === undefined ? {} : { earlier }),
      ),
    refusalTexts: refusalTextsOf(cutoverContext),
    reverseStream: () => maker.made((signal) => makeReverse(able.back, id, ready.taken, run, signal)),
    reverseStreamFault: (made) => maker.fault(() => reverseFault(able.back, made, [ready.taken], run.interrupt.abort)),
    findings: async () =>
      await able.opening.inspect(to, await able.closing.facts(from, run.interrupt.abort), run.interrupt.abort),
    rereadLedger: () => requireNoQuarantine(opens.database, ready.key, checks),
    requireParents: () => requireParents(opens.store, to, checks, run.interrupt.abort),
    document,
    checks,
    pauseLimitMs: operation.budgetMs ?? BETWEEN_BUDGET_MS,
    triesForMs: operation.triesForMs,
    earlier,
    endsSessions: !operation.keepSessions,
    clock: run.clock,
    signal: run.interrupt.abort,
    report: (step, detail) => run.emit({ type: 'cutover.step', step, detail }),
  })
}

/** Writes the cutover's document for the ledger, with the facts known at each step. */
function documentWriter({ operation, between, ready, gates, run }: CutoverContext): (facts: DocumentFacts) => string {
  const { closes, opens, family } = between
  const { from, to } = ready
  return ({ made, reversePosition, ...facts }) =>
    documentText({
      turn: family.turns.length + 1,
      closes: { database: closes.store.label, identity: closes.store.identity, table: from },
      opens: { database: opens.store.label, identity: opens.store.identity, table: to },
      ...facts,
      ...(made === undefined || reversePosition === undefined
        ? {}
        : {
            reverse: {
              source: redactUrl(opens.url),
              sourceIdentity: opens.store.identity,
              wishes: storedOptions(ready.reverse),
              birth: made.birth,
              position: reversePosition,
              key: tableKeyOf(from),
              sourceTable: tableText(to),
              tool: run.tool,
            },
          }),
      about: {
        revert: operation.revert,
        gates: gates.all,
        findings: ready.findings,
        signOff: ready.signOff,
        unsigned: operation.unsigned,
        by: run.actor,
        host: run.host,
        tool: run.tool,
        run: run.runId,
      },
    })
}

function refusalTextsOf({ operation, able, ready: { from, to } }: CutoverContext): BetweenParts['refusalTexts'] {
  const { database, host, port } = able.opening.address
  const name = tableText(from)
  const there = `${tableText(to)} of database ${database}`
  // A cutover back closes the copy.
  const dropped = ' If the move was given up and the stream was ended, this table can be dropped.'
  return {
    source: {
      says: `${name} is closed: its rows follow those of ${there}, and only the stream may write into it`,
      hint: `Write to ${there}, at ${host}:${port}. If a cutover was killed, run it again: it completes the cutover or gives it up.${operation.revert ? dropped : ''}`,
    },
    target: {
      says: `${tableText(to)} is about to take the writes of ${name}: its rows follow those of the source, and only the stream may write into it`,
      hint: `Write to the source. If a cutover was killed, run it again: it completes the cutover or gives it up.`,
    },
  }
}

/**
 * Finishes a cutover whose target is open: reports the new address to users, records the reverse stream, removes what
 * the earlier stream left, and lets the old table catch up.
 * @param between state after the cutover: `closes` is the database that was opened, the reverse stream's source
 */
async function finishCutover(
  operation: CutoverOperation,
  between: Between,
  row: CutoverRow,
  before: Pick<Ending, 'totals' | 'proof'>,
  run: CutoverRun,
): Promise<Ending> {
  const { closes: opened } = between
  const next = followCommand(between, row.reverse)
  let failed: SluiceError | null = null
  if (row.status === 'switched' && operation.onSwitch !== undefined) {
    const { opens } = documentOf(await opened.switches.document(row.id))
    const { address } = cutoverCapabilities(between).closing
    const about = { revert: row.turn % 2 === 0, table: opens.table, address, stream: row.reverse }
    try {
      await announce(operation.onSwitch, about)
      await opened.steps.announced(row.id)
      run.emit({ type: 'cutover.step', step: 'announced', detail: 'the command of --on-switch ended with 0' })
    } catch (error) {
      failed = asSluiceError(error)
    }
  }
  if (row.status !== 'done') await cleanUpCutover(between, row, run, failed === null)
  if (failed !== null) return { ...before, error: failed }
  const stream = await streamNamed(between.opens.database, row.reverse)
  if (stream === null) return { ...before, next }
  if (stream.status !== 'active') return { ...before, ...nextFollow(stream, next, run) }
  const ends = { from: opened.url, to: between.opens.url }
  const copy = copyOfStream(stream, ends, operation.stay ? {} : { until: 'caught-up' })
  return await runReverseStream({ ...before, next }, copy, stream, run)
}

/**
 * Reports the new address to users with the operator's command, which may run more than once.
 * @throws SluiceError HOOK_FAILED: the cutover remains in effect, and the same command runs the hook again
 */
async function announce(command: string, { revert, table, address, stream }: Announcement): Promise<void> {
  const why = await runShell(
    command,
    {
      SLUICE_SWITCH_DIRECTION: revert ? 'revert' : 'forward',
      SLUICE_SWITCH_TABLE: tableText(table),
      SLUICE_SWITCH_HOST: address.host,
      SLUICE_SWITCH_PORT: address.port,
      SLUICE_SWITCH_DATABASE: address.database,
      SLUICE_SWITCH_STREAM: stream,
    },
    HOOK_MS,
  )
  if (why === null) return
  throw new SluiceError('HOOK_FAILED', `the command of --on-switch ${why}`, {
    reason: `${tableText(table)} of ${address.host}:${address.port}/${address.database} is open for writes, and users may not know this address`,
    hint: 'run the same command again: the cutover is done, so it runs only --on-switch',
  })
}

/** Removes slot and publication of the earlier stream, and triggers that closed a table. @param isDone notes `done` */
async function cleanUpCutover(between: Between, row: CutoverRow, run: CutoverRun, isDone = true): Promise<void> {
  const { closes: opened, opens: closed } = between
  await recordReverseStreams(opened, closed)
  const before = await streamNamed(opened.database, row.stream)
  const name = before?.startRecord?.slot ?? streamName(row.stream)
  const { closing, back } = cutoverCapabilities(between)
  await back.end(name, run.interrupt.abort)
  const { opens } = documentOf(await opened.switches.document(row.id))
  if (!(await closing.tidy(opens.table, run.interrupt.abort))) {
    const message = `other sessions lock ${tableText(opens.table)}: a trigger that does nothing stays on it until the next cutover`
    run.emit({ type: 'log', level: 'note', message })
  }
  if (isDone) await opened.steps.done(row.id)
  run.emit({ type: 'cutover.step', step: 'cleaned up', detail: `slot and publication ${name} are removed` })
}

function reportSwitched(
  operation: CutoverOperation,
  { closes, opens }: Between,
  { from, to, refusedBack }: BetweenReady,
  stream: string,
  facts: BetweenFacts,
  run: CutoverRun,
): void {
  run.emit({
    type: 'cutover.switched',
    table: tableText(to),
    parked: tableText(from),
    database: opens.store.label,
    closed: closes.store.label,
    revert: operation.revert,
    pauseMs: facts.pauseMs,
    waitedMs: facts.waitedMs,
    ...(facts.isLeast ? { isLeast: true } : {}),
    tries: dec(facts.tries),
    provedRows: dec(facts.rows),
    touchedRows: dec(facts.touched),
    stream,
    position: facts.reversePosition,
    wayBack: oppositeCommand(operation),
    ...(refusedBack === null ? {} : { refusedWhile: refusedBack.why }),
  })
}

function leftBehind(id: string, error: unknown, run: CutoverRun): void {
  const message = `the source may still be closed, and slot and publication ${streamName(id)} still exist: ${asSluiceError(error).message}`
  const hint = 'run the same command: it opens the source, or completes the cutover'
  run.emit({ type: 'log', level: 'warn', message, hint })
}

/** @param between state after the cutover, for its reverse stream; before it, for the stream that it ends */
function followCommand({ closes, opens }: Between, stream: string): string {
  return `sluice follow ${stream} --from ${shellQuote(redactUrl(closes.url))} --to ${shellQuote(redactUrl(opens.url))}`
}
