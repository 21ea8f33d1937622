/** What the UI prints on the normal screen after it has left: how each run ended and the command that goes on. */
import { clockSpan } from './draw/format.ts'
import { clean } from './draw/text.ts'
import type { CopyOperation, Operation } from '../engine/operation.ts'
import type { Event } from '../model/event.ts'
import type { ErrorInfo } from '../shared/errors.ts'
import { bytes, count, countDec, plural } from './draw/format.ts'
import { outcomeText } from './run/archiving/outcome.ts'
import { retryCommand } from './run/copy/retry-command.ts'

/** A run that has ended while the UI was open. */
export type FinishedRun = {
  readonly operation: Operation
  readonly commandLine: string
  readonly event: Event & { type: 'run.finished' }
  /** The first rows that a `diff` found to differ, as texts. */
  readonly differences: readonly string[]
  /** Of a copy: rows and bytes of this run alone, and how long it worked on them, ms. */
  readonly moved?: { readonly rows: number; readonly bytes: number; readonly ms: number }
}

const WORD = 9

/** Lines in the words of a headless run: end, do, next, exit. */
export function closingLines(finished: readonly FinishedRun[]): readonly string[] {
  return finished.slice(-5).flatMap(({ operation, commandLine, event, differences, moved }) => {
    const archives = operation.kind === 'archive' || operation.kind === 'restore'
    if (operation.kind === 'copy') return copyLines(operation, event, moved)
    const at = clockSpan(event.ms)
    const say = (word: string, text: string): string => `${at} ${word.padEnd(WORD)}${clean(text)}`
    const totals = Object.entries(event.totals)
      .map(([name, n]) => `${name} ${n}`)
      .join(', ')
    return [
      ...differences.map((text) => say('DIFFERS', text)),
      say(
        'end',
        archives
          ? outcomeText(event, `${operation.kind}: ${event.status}`)
          : `${shortened(commandLine)}: ${event.status}${totals === '' ? '' : ` (${totals})`}`,
      ),
      ...(event.wrote ?? []).map((file) => say('wrote', file)),
      ...(event.error?.hint === undefined ? [] : [say('do', event.error.hint)]),
      ...(event.resumeCommand === undefined ? [] : [say('next', event.resumeCommand)]),
      say(
        'exit',
        `${event.exitCode}${event.error === undefined ? '' : `  ${event.error.code} ${event.error.message}`}`,
      ),
    ]
  })
}

/** Why a copy could not even begin, as a headless run tells it. */
function failureLines(error: ErrorInfo | undefined, say: (word: string, text: string) => string): readonly string[] {
  if (error === undefined) return []
  const { message, where, reason } = error
  const detail = (label: string, text: string | undefined): string[] =>
    text === undefined ? [] : [`     ${label.padEnd(WORD)}${clean(text)}`]
  return [say('FAILED', message), ...detail('where', where), ...detail('cause', reason)]
}

/** A copy ends with what was proved, and where every row is that was read. */
function copyLines(
  operation: CopyOperation,
  event: FinishedRun['event'],
  moved: FinishedRun['moved'],
): readonly string[] {
  const { error, totals, proof, resumeCommand, runId, asideRuns } = event
  const say = (word: string, text: string): string => `${clockSpan(event.ms)} ${word.padEnd(WORD)}${clean(text)}`
  const { tables = '1', ok = '0', read, written, skipped, quarantined = '0', chunks = '0', proved = '0' } = totals
  const what = proof === 'count' ? 'count equal' : 'count and checksum equal'
  const without =
    quarantined === '0'
      ? ''
      : `, without the ${quarantined === '1' ? 'row' : `${countDec(quarantined)} rows`} set aside`
  const sum = `read ${countDec(read)} = written ${countDec(written)} + skipped ${countDec(skipped)} + set aside ${countDec(quarantined)}`
  const done = chunks === proved ? '' : `${countDec(proved)} of ${plural(Number(chunks), 'chunk')} done, `
  const all = tables === '1' ? '' : `${ok} ok of ${plural(Number(tables), 'table')}; `
  const onlyAside = error?.code === 'ROWS_ASIDE' && chunks === proved
  const next = onlyAside ? retryCommand(operation, asideRuns ?? (runId === null ? [] : [runId])) : resumeCommand
  return [
    ...(proof === 'none' || proof === undefined || proved === '0'
      ? []
      : [say('proved', `${countDec(proved)} of ${plural(Number(chunks), 'chunk')}: ${what}${without}`)]),
    ...(read === undefined ? failureLines(error, say) : []),
    say(
      'end',
      read === undefined
        ? `copy: ${event.status}`
        : `${all}${done}${sum}${paceText(moved)}${proof === 'none' ? '  nothing was proved (proof none)' : ''}`,
    ),
    ...(error?.hint === undefined ? [] : [say('do', error.hint)]),
    ...(next === undefined ? [] : [say('next', next)]),
    say('exit', `${event.exitCode}${error === undefined ? '' : `  ${error.code} ${error.message}`}`),
  ]
}

/** How fast this run was, where it did enough to tell. */
function paceText(moved: FinishedRun['moved']): string {
  if (moved === undefined || moved.ms < 1000 || moved.rows === 0) return ''
  const volume = moved.bytes === 0 ? '' : `  ${bytes((moved.bytes * 1000) / moved.ms)}/s`
  return `  ${count(Math.round((moved.rows * 1000) / moved.ms))} rows/s${volume}`
}

/** The first command of a line without its catalog, and how many more there are: marked tables are imported as one run. */
function shortened(commandLine: string): string {
  const [first = '', ...more] = commandLine.split(' && ')
  return `${first.split(/ --(?:database-url|from|to)[ =]/)[0] ?? ''}${more.length === 0 ? '' : ` and ${more.length} more`}`
}
