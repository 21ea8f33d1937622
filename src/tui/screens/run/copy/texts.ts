/** Texts about a chunk or a table of a copy: what happened, why, and what to do. */
import { urlsByFlag } from '../../../../app/operations/facts.ts'
import { wholeCommands } from '../../../../app/whole-commands/whole.ts'
import type { CopyOperation } from '../../../../engine/copy/operations/copy/declaration.ts'
import type { Dec } from '../../../../model/run/event.ts'
import { shownCount, percent, amount, seconds } from '../../../../render/screen-format.ts'
import type { Tone } from '../../../draw/line.ts'
import { clean, cutEnd } from '../../../../render/screen-text.ts'
import type { Chunk, ShownRefusedRow } from '../../../run/copy/chunk-list.ts'
import type { CopyTable } from '../../../run/copy/copy-table.ts'
import { namedKeyText, keyRangeText } from '../../../run/copy/key-axis.ts'
import type { RunView } from '../../../run/run-view.ts'

type Reported = readonly [text: string, tone: Tone]

/** Shown instead of the checksum of a chunk that cannot be found again in the target. */
export const WITH_TABLE = 'with the table'

/** State of a chunk as a word. */
export function chunkWord({ state, steering }: Chunk): string {
  if (steering !== null && state === 'pending') return steering === 'paused' ? 'paused' : 'left out'
  return state === 'aside' ? 'proved' : state
}

/** Command to run after quarantined rows were repaired; '' if the run is no copy, or a copy with replication. */
export function retryOf({ operation, commandLine, runId, copy, finished }: RunView): string {
  // A copy with replication retries quarantined rows by itself.
  if (operation.kind !== 'copy' || operation.follow !== undefined) return ''
  // Until the run ends, it is unknown which earlier runs quarantined rows.
  const runs = finished?.asideRuns ?? (copy?.hasOlderQuarantined === true || runId === null ? [] : [runId])
  return retryCommand(operation, commandLine, runs)
}

/**
 * The command that retries quarantined rows of a copy.
 * @param commandLine of the copy; source and target are taken from it
 * @param runs ids of the runs that quarantined rows; the command names a run only if there is exactly one
 */
function retryCommand(operation: CopyOperation, commandLine: string, runs: readonly Dec[]): string {
  const [runId, ...more] = runs
  const named = runId === undefined || more.length > 0 ? '' : ` ${runId}`
  return wholeCommands(commandLine, urlsByFlag(operation))(`sluice quarantine retry${named}`)
}

/** State of a chunk as texts, the most important first. */
export function chunkFacts(chunk: Chunk, run: RunView, now: number): readonly Reported[] {
  const key = run.copy?.table(chunk.table)?.key ?? []
  const reported = (text: string, tone: Tone = 'plain'): readonly Reported[] => [[clean(text), tone]]
  const live = run.finished === null
  if (chunk.steering !== null) return reported(steeringText(chunk.steering, chunk.state === 'pending', live), 'warn')
  switch (chunk.state) {
    case 'failed': {
      const { code, message, hint } = chunk.error ?? { code: 'INTERNAL', message: 'no cause was reported' }
      const again = 'correct the cause, then run the same command again: it does only the rest'
      return [
        ...reported(`${code} ${message}`, 'bad'),
        ...reported(`do: ${hint ?? again}`, 'strong'),
        ...(live ? reported('then r tries it again while this run works') : []),
      ]
    }
    case 'waits': {
      const left = Math.max(0, (chunk.againAt ?? now) - now)
      const why = chunk.error === null ? '' : `: ${chunk.error.code} ${chunk.error.message}`
      const { reason, where } = chunk.error ?? {}
      const more = [reason, where].filter((text) => text !== undefined).join(' · ')
      return [
        ...reported(`try ${chunk.attempt} begins in ${seconds(left)} by itself${why}`, 'warn'),
        ...(more === '' ? [] : reported(more)),
      ]
    }
    case 'aside': {
      const [first] = chunk.rows
      const rows =
        first === undefined
          ? `${amount(chunk.quarantined, 'row')} quarantined${chunk.earlier ? ' by an earlier run' : ''}: sluice quarantine list shows why`
          : `${quarantinedText(first, key)}${chunk.quarantined > 1 ? ` · and ${shownCount(chunk.quarantined - 1)} more` : ''}`
      return [...reported(rows, 'warn'), ...reported(`do: correct it at the source, then ${retryOf(run)}`, 'strong')]
    }
    case 'proved':
      return reported(proofText(chunk, run), 'ok')
    case 'written':
      return reported(`${amount(chunk.written, 'row')} written; ${notProved(run, chunk)}`)
    default: {
      const worker = run.workers.find((one) => one.table === chunk.table && one.chunk === chunk.no)
      const doing =
        worker?.step === 'proving'
          ? 'every row is written; the target is being read back and compared'
          : `worker ${chunk.worker ?? '?'} copies it`
      return [...reported(doing), ...chunk.rows.slice(-1).flatMap((row) => reported(quarantinedText(row, key), 'warn'))]
    }
  }
}

function steeringText(held: 'paused' | 'skipped', undone: boolean, live: boolean): string {
  const how = undone ? '' : ', and is being returned'
  if (!live) return 'left undone as requested: run the same command to continue with it'
  return held === 'paused'
    ? `paused as requested${how}: P resumes it, and the run waits for it`
    : `left to another run as requested${how}: S adds it again`
}

const quarantinedText = ({ key: values, error }: ShownRefusedRow, key: readonly string[]): string =>
  `row ${namedKeyText(values, key)} quarantined: ${error.code} ${error.message}`

function proofText({ written, checksum, earlier }: Chunk, run: RunView): string {
  const rows = `${amount(written, 'row')} on both sides`
  if (earlier) return `${rows}, proved by an earlier run`
  if (checksum?.target === '')
    return `${amount(written, 'row')} written; the whole table was compared at its end: count and checksum are equal`
  if (checksum !== null) return `${rows}, and their checksums are equal: ${checksum.source.slice(0, 16)}`
  return run.operation.kind === 'copy' && run.operation.verify === 'count'
    ? `${rows}, counted; nothing else was compared`
    : rows
}

function notProved(run: RunView, { table }: Chunk): string {
  if (run.operation.kind === 'copy' && run.operation.verify === 'none')
    return 'nothing is proved, as requested (--verify none)'
  const whole = run.copy?.table(table)?.proof === 'canonical'
  return whole
    ? 'without a key it is proved with the whole table at the end'
    : 'without a key its rows cannot be found again in the target to compare them'
}

/** Key range of a chunk as text, for the clipboard. */
export function chunkKeyRange(chunk: Chunk, run: RunView): string {
  return keyRangeText(chunk.span, run.copy?.table(chunk.table)?.key ?? [])
}

const fact = (label: string, text: string): string => `${label.padEnd(13)}${text}`

/** All details of a chunk. */
export function chunkText(chunk: Chunk, run: RunView, now: number): readonly string[] {
  const table = run.copy?.table(chunk.table) ?? null
  const key = table?.key ?? []
  const { from, to } = chunk.span
  const bounds = [
    ...(from === undefined ? [] : [fact('from', from === null ? 'the first key' : namedKeyText(from, key))]),
    ...(to === undefined ? [] : [fact('to', to === null ? 'the last key' : namedKeyText(to, key))]),
  ]
  return [
    fact('chunk', `${chunk.no} of ${shownCount(table?.map.counts().all ?? null)} of ${chunk.table}`),
    ...(bounds.length === 0 ? [fact('rows', keyRangeText(chunk.span, key))] : bounds),
    fact('state', `${chunkWord(chunk)}${chunk.earlier ? ', by an earlier run' : ''}`),
    fact('try', String(chunk.attempt)),
    ...(chunk.ms === null ? [] : [fact('took', seconds(chunk.ms))]),
    ...(chunk.ms === null && !chunk.earlier
      ? []
      : [
          fact(
            'rows',
            `read ${shownCount(chunk.read)} = written ${shownCount(chunk.written)} + skipped ${shownCount(chunk.skipped)} + quarantined ${shownCount(chunk.quarantined)}`,
          ),
        ]),
    ...(chunk.checksum === null
      ? []
      : [
          fact('source', chunk.checksum.source),
          fact('target', chunk.checksum.target || (chunk.state === 'proved' ? WITH_TABLE : 'not read back')),
        ]),
    '',
    ...chunkFacts(chunk, run, now).map(([text]) => text),
    ...(chunk.error?.reason === undefined ? [] : [fact('because', chunk.error.reason)]),
    ...(chunk.error?.where === undefined ? [] : [fact('where', chunk.error.where)]),
    ...quarantineLines(chunk, key),
  ]
}

function quarantineLines({ rows, quarantined }: Chunk, key: readonly string[]): readonly string[] {
  // A single row is already shown above.
  if (rows.length === 0 || quarantined === 1) return []
  const more =
    quarantined > rows.length
      ? [`  … ${shownCount(quarantined - rows.length)} more: sluice quarantine list has them all`]
      : []
  return [
    '',
    'rows quarantined',
    ...rows.map((row) => `  ${namedKeyText(row.key, key)}: ${row.error.code} ${row.error.message}`),
    ...more,
  ]
}

function stateText({ state }: CopyTable): string {
  if (state === 'paused') return 'paused as requested: P resumes it, and the run waits for it'
  if (state === 'skipped') return 'left to another run as requested: run the same command to continue with it'
  return state
}

/** All details of a table. */
export function copyTableLines(table: CopyTable, run: RunView): readonly string[] {
  const { read, written, skipped, quarantined, proved } = table.tally
  const counts = table.map.counts()
  const { error, plan } = table
  return [
    fact('table', table.to === table.name ? table.name : `${table.name} → ${table.to}`),
    fact('state', stateText(table)),
    fact('key', table.key.length === 0 ? 'none' : table.key.join(', ')),
    fact(
      'rows',
      `${shownCount(table.rows)}${table.estimated ? ' est.' : ''}, ${percent(table.rows > 0 ? Math.min(1, read / table.rows) : null)} read`,
    ),
    fact(
      'read',
      `${shownCount(read)} = written ${shownCount(written)} + skipped ${shownCount(skipped)} + quarantined ${shownCount(quarantined)}`,
    ),
    fact(
      'proved',
      `${shownCount(proved)} rows, ${shownCount(counts.proved + counts.aside)} of ${amount(counts.all, 'chunk')}`,
    ),
    ...(table.baseline > 0 ? [fact('earlier', `${shownCount(table.baseline)} rows came with earlier runs`)] : []),
    ...(plan === null
      ? []
      : [
          fact('proof', plan.proof),
          fact('existing', plan.onExisting),
          fact('target', plan.create ? 'created by this copy' : 'was there'),
        ]),
    ...(error === null
      ? []
      : [
          '',
          fact('why', `${error.code} ${error.message}`),
          ...(error.reason === undefined ? [] : [fact('because', error.reason)]),
          ...(error.where === undefined ? [] : [fact('where', error.where)]),
          ...(error.hint === undefined ? [] : [fact('do', error.hint)]),
        ]),
    ...(quarantined > 0 ? [fact('then', retryOf(run))] : []),
    ...table.notes.map((note) => fact('note', note)),
    ...(plan === null || plan.columns.length === 0
      ? []
      : ['', 'columns', ...plan.columns.map((column) => `  ${columnText(column)}`)]),
  ]
}

/** A column with both types, such as `id bigint → INTEGER`, and what the conversion loses. */
export function columnText(column: {
  from: string
  to: string
  source: string
  target: string
  lossy?: string
}): string {
  const name = column.from === column.to ? column.from : `${column.from} → ${column.to}`
  return `${cutEnd(name, 30).padEnd(32)}${column.source} → ${column.target}${column.lossy === undefined ? '' : `   loses: ${column.lossy}`}`
}
