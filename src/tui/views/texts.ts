/** Full entries as text, for the text dialog and for `y`. */
import type { CommitDetail } from '../../model/lake/answers.ts'
import type { FileEvent, RunEvent } from '../../model/run/event.ts'
import type { TableResult } from '../run/run-view.ts'
import { bytes, shownCount, countDec, fullTime, msOf, numberOf, seconds } from '../../render/screen-format.ts'

const row = (label: string, text: string): string => `${label.padEnd(13)}${text}`

/** A commit with all its files. */
export function commitText(detail: CommitDetail): string[] {
  const { commit } = detail
  const file = (sign: string, f: { path: string; size: number | null; rows: number | null }): string =>
    `${sign} ${bytes(f.size).padStart(9)} ${shownCount(f.rows).padStart(12)} rows  ${f.path}`
  const more = (shown: number, total: number): string[] =>
    total > shown ? [`  … ${shownCount(total - shown)} more`] : []
  return [
    row('version', commit.version + (commit.checkpoint ? ', a checkpoint is here' : '')),
    row(
      'time',
      `${fullTime(msOf(commit.time))}${commit.inCommitTime ? ', in-commit time' : ', modification time of the file'}`,
    ),
    row('operation', commit.operation ?? '?'),
    row('engine', commit.engine ?? '?'),
    row('user', detail.user ?? 'not reported'),
    ...(detail.predicate === null ? [] : [row('predicate', detail.predicate)]),
    row('files', `+${countDec(commit.adds)} −${countDec(commit.removes)}, then ${countDec(commit.files)}`),
    row(
      'bytes',
      `+${bytes(numberOf(commit.addedBytes))} −${bytes(numberOf(commit.removedBytes))}, then ${bytes(numberOf(commit.bytes))}`,
    ),
    row('rows', countDec(commit.rows)),
    ...(detail.metrics.length === 0 ? [] : ['', 'metrics', ...detail.metrics.map(([k, v]) => `  ${k} = ${v}`)]),
    '',
    ...detail.added.map((f) => file('+', f)),
    ...more(detail.added.length, detail.addedTotal),
    ...detail.removed.map((f) => file('−', f)),
    ...more(detail.removed.length, detail.removedTotal),
  ]
}

/** A file entry with its statistics as in the log. */
export function fileLines(file: FileEvent): string[] {
  return [
    row('path', file.path),
    row('size', `${bytes(numberOf(file.size))}, ${countDec(file.size)} bytes`),
    row('rows', countDec(file.rows)),
    row('added by', file.addedVersion === undefined ? '?' : `v${file.addedVersion}`),
    row('modified', fullTime(msOf(file.modified) ?? numberOf(file.modified))),
    row(
      'deletion',
      file.deletionVector === undefined
        ? 'no deletion vector'
        : `${file.deletionVector}, ${countDec(file.deletedRows)} rows dead`,
    ),
    '',
    'partition values',
    ...Object.entries(file.partitionValues).map(([k, v]) => `  ${k} = ${v ?? 'null'}`),
    '',
    'stats, as the log has them',
    `  ${file.stats ?? 'none'}`,
  ]
}

/** Result of a table in a run. */
export function resultText(result: TableResult): string[] {
  const { error } = result
  return [
    row('status', result.status),
    ...(result.location === undefined ? [] : [row('at', result.location)]),
    ...(result.version === undefined ? [] : [row('version', `v${result.version}`)]),
    ...(result.files === undefined
      ? []
      : [row('files', `${countDec(result.files)}, ${bytes(numberOf(result.bytes))}`)]),
    row('took', seconds(result.ms)),
    ...(error === undefined
      ? []
      : [
          '',
          row('why', `${error.code} ${error.message}`),
          ...(error.reason === undefined ? [] : [row('', error.reason)]),
          ...(error.where === undefined ? [] : [row('where', error.where)]),
          ...(error.hint === undefined ? [] : [row('do', error.hint)]),
        ]),
    ...(result.notes ?? []).map((note) => row('note', note)),
  ]
}

/** A recorded run. */
export function runText(run: RunEvent): string[] {
  return [
    row('run', run.run),
    row('command', run.command),
    row('table', run.table),
    row('status', run.status),
    row('version', run.version === undefined ? '?' : `v${run.version}`),
    row('files', run.filesProcessed === undefined ? '?' : countDec(run.filesProcessed)),
    row('started', fullTime(msOf(run.startedAt))),
    row('ended', run.completedAt === undefined ? 'not reported' : fullTime(msOf(run.completedAt))),
    ...(run.error === undefined ? [] : ['', row('why', run.error)]),
  ]
}
