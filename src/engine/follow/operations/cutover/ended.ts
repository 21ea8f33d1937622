/** How a cutover ends or is refused, within one database and between two. */
import { isCalled, tableText, type TableName } from '../../../../model/copy/column-type.ts'
import { dec } from '../../../../model/run/event.ts'
import { SluiceError } from '../../../../shared/errors.ts'
import type { LedgerDatabase } from '../../../../model/run/ledger-port.ts'
import { RESTART_STREAM } from '../../../../model/follow/lost-stream.ts'
import { shellQuote } from '../../../../shared/shell.ts'
import { CutoverChecks } from '../../cutover/cutover-checks.ts'
import { hasSwitched } from '../../cutover/cutover-row.ts'
import type { Family } from '../../cutover/family.ts'
import { quarantineCheck } from '../../cutover/readiness.ts'
import type { TableKey } from '../../../copy/ledger/owner.ts'
import type { NamedStream } from '../../../copy/ledger/stream-lookup.ts'
import type { StreamRow } from '../../../copy/ledger/stream-row.ts'
import type { Ending } from '../../../run/run-context.ts'
import type { CopyOperation } from '../../../copy/operations/copy/declaration.ts'
import { hintingAtFollow, resumeStream } from '../follow/hints.ts'
import type { CutoverOperation, CutoverRun } from './declaration.ts'
import { givenFields } from '../../../../shared/given-fields.ts'

/** Checks of a cutover; each change of one is an event of the run. */
export function reportingChecks(run: CutoverRun): CutoverChecks {
  return new CutoverChecks((gate, table) =>
    run.emit({ type: 'cutover.gate', ...(table === null ? {} : { table }), ...gate }),
  )
}

/** Result of --dry-run: state of the cutover checks before any comparison. */
export function dryRunResult(gates: CutoverChecks): Ending {
  gates.set({ name: 'compared', state: 'waiting', detail: 'every row is compared when the command runs' })
  const count = (state: string): string => dec(gates.all.filter((gate) => gate.state === state).length)
  return { totals: { ok: count('ok'), waiting: count('waiting'), refused: count('refused') } }
}

/**
 * Checks whether the cutover can be made. If it cannot, what a killed run has created for it is removed: otherwise it
 * would block later commands.
 * @param copy of the stream @param giveUp removes it, given the id of the cutover
 * @throws errors of `check`; hints are worded for a stream that exists
 */
export async function readyOrGivenUp<T>(
  { preparing: [left] }: Family,
  { stream, copy, dryRun }: { readonly stream: NamedStream; readonly copy: CopyOperation; readonly dryRun: boolean },
  check: () => Promise<T>,
  giveUp: (id: string) => Promise<void>,
): Promise<T> {
  try {
    return await hintingAtFollow({ ...copy, reverse: stream.isReverse ? stream.id : null }, check)
  } catch (error) {
    if (left !== undefined && !dryRun) await giveUp(left.id)
    throw error
  }
}

/** @throws SluiceError MISSING_CONFIRM, with this text, unless the name of the table was given as confirmation */
export function requireConfirmed(operation: CutoverOperation, table: TableName, text: string, reason?: string): void {
  if (isConfirmed(operation, table)) return
  const hint = `add --confirm=${shellQuote(tableText(table))}, or --dry-run to see checks and findings`
  throw new SluiceError('MISSING_CONFIRM', text, { hint, ...givenFields({ reason }) })
}

/** @param table the table that the cutover closes */
export function isConfirmed({ confirm }: CutoverOperation, table: TableName): boolean {
  return confirm !== undefined && isCalled(table, confirm)
}

/** Command for the opposite direction; without the URLs, which the run adds. */
export function oppositeCommand({ stream, revert }: Pick<CutoverOperation, 'stream' | 'revert'>): string {
  return `sluice cutover ${stream}${revert ? '' : ' --revert'}`
}

type LateTexts = {
  readonly said: 'no table was exchanged' | 'the cutover was not made'
  readonly hint: string
  readonly tries: number
  readonly triesForMs: number
}

/** Result if no attempt succeeded in time. @param ending of the stream's run */
export function lateEnding(
  ending: Ending,
  { said, hint, tries, triesForMs }: LateTexts,
  { firstRefused }: CutoverChecks,
): Ending {
  const why =
    firstRefused === null
      ? `none of ${tries} tries succeeded`
      : `cutover check ${firstRefused.name}: ${firstRefused.detail}`
  const error = new SluiceError('OUT_OF_TRIES', `${said} within ${triesForMs} ms; ${why}`, {
    hint: firstRefused?.hint ?? hint,
  })
  return { ...ending, stopped: true, error }
}

/**
 * Runs the reverse stream, which keeps the other table equal.
 * @param before ending of the cutover
 * @param copy operation of the reverse stream
 */
export async function runReverseStream(
  before: Ending,
  copy: CopyOperation,
  stream: NamedStream,
  run: CutoverRun,
): Promise<Ending> {
  const {
    totals,
    proof: _proof,
    notChecked: _notChecked,
    leftBehind: _leftBehind,
    ...ending
  } = await resumeStream(stream, copy, run, { stream: stream.id })
  // Leaves out totals of copied rows: none were copied.
  const { transactions, changes } = totals
  return { ...ending, ...before, totals: { ...before.totals, ...givenFields({ transactions, changes }) } }
}

/** The next command after a cutover: it follows the reverse stream. None, and a note, if that stream was ended. */
export function nextFollow({ id, status }: StreamRow, command: string, run: CutoverRun): Pick<Ending, 'next'> {
  if (status !== 'ended') return { next: command }
  const message = `stream ${id} was ended: it no longer applies changes to the old table`
  run.emit({ type: 'log', level: 'note', message })
  return {}
}

/** Error: there is no cutover to revert. */
export function nothingToRevert(stream: string): SluiceError {
  return new SluiceError('BAD_FLAG', `stream ${stream} has had no cutover: there is nothing to revert`, {
    hint: 'remove --revert',
  })
}

/** Hint for a stream that was ended. */
export function restartHint({ turns }: Family): string {
  return turns.some((row) => hasSwitched(row.status))
    ? 'the reverse stream was ended: it no longer applies changes to the old table'
    : `${RESTART_STREAM}, to begin another one`
}

/** Error: the stream does not run. @param ifEnded hint for a stream that was ended @param command resumes the stream */
export function notActive(
  { id, status, faults }: StreamRow,
  ifEnded: string,
  command = `sluice follow ${id}`,
): SluiceError {
  return new SluiceError('STREAM_HALTED', `stream ${id} is ${status === 'begun' ? 'not created yet' : status}`, {
    ...(faults[0] === undefined ? {} : { reason: faults[0].message }),
    hint: status === 'ended' ? ifEnded : `run ${command}, which resumes the stream, or reports why it cannot`,
  })
}

/** Reads the quarantine again before an attempt. @throws SluiceError ROWS_ASIDE */
export async function requireNoQuarantine(
  database: LedgerDatabase,
  key: TableKey,
  gates: CutoverChecks,
): Promise<void> {
  const gate = await quarantineCheck(database, key)
  gates.set(gate)
  if (gate.state === 'refused') throw new SluiceError('ROWS_ASIDE', gate.detail, { hint: gate.hint ?? '' })
}
