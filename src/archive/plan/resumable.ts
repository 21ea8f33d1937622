/**
 * Checks for read-only commands whether a run could continue an archive, so that `plan` and `list` show the refusal
 * of a later run.
 */
import { tableText, type TableName } from '../../model/copy/column-type.ts'
import type { ArchivedTable } from '../ledger/record.ts'
import { throwIfAborted } from '../../shared/abort.ts'
import { asSluiceError, SluiceError, type ErrorCode } from '../../shared/errors.ts'
import { redactUrl } from '../../shared/redact.ts'
import type { Run } from '../../engine/run/run-context.ts'
import type { OpenedArchive } from '../work/each-table.ts'
import { openOwned } from '../work/open.ts'
import { inspectOrigin } from '../work/require-origin.ts'

/** Longest wait for a bucket, ms; a local folder answers at once. */
const BUCKET_TIMEOUT_MS = 10_000

/** Errors with which a run would end before it changes anything. */
const REFUSED: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'ARCHIVE_FOREIGN',
  'ARCHIVE_CONFLICT',
  'TABLE_FEATURE',
  'PROTOCOL_VERSION',
])

export type ResumeState =
  | { readonly kind: 'own' }
  /** The error with which a run would end. */
  | { readonly kind: 'refused'; readonly error: SluiceError }
  /** The log could not be read, so it is unknown whether a run would be refused. */
  | { readonly kind: 'unread'; readonly error: SluiceError }

/** Reads the newest version of the log; changes nothing. @param called present name of the table, for messages */
export async function resumeState(
  archived: ArchivedTable,
  opened: OpenedArchive,
  run: Run<'log'>,
  called: TableName,
): Promise<ResumeState> {
  const timeout = AbortSignal.timeout(BUCKET_TIMEOUT_MS)
  const abort = AbortSignal.any([run.interrupt.abort, timeout])
  try {
    const patient = { ...run, interrupt: { stop: run.interrupt.stop, abort } }
    await inspectOrigin(await openOwned(archived, opened, patient, called))
    return { kind: 'own' }
  } catch (thrown) {
    throwIfAborted(run.interrupt.abort)
    const error = timeout.aborted ? unansweredError(archived) : asSluiceError(thrown)
    return { kind: REFUSED.has(error.code) ? 'refused' : 'unread', error }
  }
}

function unansweredError({ archive }: ArchivedTable): SluiceError {
  return new SluiceError('SOURCE_IO', `the archive did not answer within ${BUCKET_TIMEOUT_MS / 1000} s`, {
    where: redactUrl(archive),
    hint: 'check the connection to the archive, then run the same command again',
    retryable: true,
  })
}

/** Emits a warning about a problem; nothing for an archive of this database. */
export function reportResumeState(called: TableName, state: ResumeState, { emit }: Run<'log'>): void {
  const table = tableText(called)
  if (state.kind === 'refused') {
    const { message, hint } = state.error
    emit({
      type: 'log',
      level: 'warn',
      table,
      message: `a run would refuse this archive: ${message}`,
      ...(hint === undefined ? {} : { hint }),
    })
  }
  if (state.kind === 'unread') {
    const message = `the archive was not read, so it was not checked that it belongs to this database: ${state.error.message}`
    emit({ type: 'log', level: 'warn', table, message })
  }
}

/** Event fields: why a run would refuse, and which part of the archive was not checked. */
export function resumeFields(
  state: ResumeState,
  notInspected: readonly string[] = [],
): { readonly foreign?: string; readonly notLooked?: readonly string[] } {
  const all = [
    ...(state.kind === 'unread' ? [`which database owns the archive: ${state.error.message}`] : []),
    ...notInspected,
  ]
  return {
    ...(state.kind === 'refused' ? { foreign: state.error.message } : {}),
    ...(all.length === 0 ? {} : { notLooked: all }),
  }
}
