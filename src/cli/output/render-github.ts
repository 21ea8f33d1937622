/**
 * Output for GitHub's runner: annotations and the step summary. Annotations go to stderr, which the runner also reads,
 * so that it works together with `--json`.
 */
import { appendFileSync } from 'node:fs'
import { dependencyLines } from '../../model/copy/dependencies.ts'
import { rowKeyText } from '../../model/copy/row-key.ts'
import type { Event, EventBody } from '../../model/run/event.ts'
import { ERROR_CODES } from '../../shared/errors.ts'
import type { Frontend } from './frontend.ts'
import { annotationOf, errorText, ARCHIVE_SUMMARY_COLUMNS, ArchiveRows } from './archive-github.ts'
import { sizeText, durationText, grouped } from '../../shared/figures.ts'
import { oneLine, visible } from '../../shared/visible.ts'
import { escapeGithub } from './render-text.ts'
import type { Output } from './output.ts'

/** GitHub keeps 10 annotations of a kind per step: nine with messages, and one with the number of further messages. */
const MAX_ANNOTATIONS = 9
/** Limit of rows in the summary: GitHub refuses more than 1 MB. */
const MAX_ROWS = 1000

type Kind = 'error' | 'warning' | 'notice'
type TableFinished = Extract<EventBody, { type: 'table.finished' }>

const IMPORT_COLUMNS = ['table', 'status', 'version', 'files', 'size', 'took', 'notes']
const COPY_COLUMNS = [
  'table',
  'status',
  'chunks proved',
  'proved earlier',
  'rows read',
  'written',
  'quarantined',
  'notes',
]

/** Text of several lines, with control characters made visible. */
function plain(text: string): string {
  return text.replaceAll(/[^\n\r\t]+/g, visible)
}

/** Message part of a workflow command. */
export function escapeMessage(text: string): string {
  return escapeGithub(plain(text)).replaceAll('%', '%25').replaceAll('\r', '%0D').replaceAll('\n', '%0A')
}

/** Property part of a workflow command. */
export function escapeProperty(text: string): string {
  return escapeMessage(text).replaceAll(':', '%3A').replaceAll(',', '%2C')
}

const cell = (text: string): string =>
  oneLine(text)
    // Escape backslashes and brackets first, because the next line adds backslashes. A bracket would start a link or a
    // picture.
    .replaceAll(/[\\[]/g, String.raw`\$&`)
    .replaceAll('|', String.raw`\|`)
    .replaceAll('<', '&lt;')

/** A command as a code block with a fence that is longer than any in the command. */
function fenced(command: string): readonly string[] {
  const ticks = Math.max(0, ...[...command.matchAll(/`+/g)].map(([run]) => run.length))
  const fence = '`'.repeat(Math.max(3, ticks + 1))
  return [`${fence}sh`, plain(command), fence]
}

function importFacts({ version, files, bytes, ms }: TableFinished): readonly string[] {
  return [
    version === undefined ? '' : `v${version}`,
    files === undefined ? '' : grouped(files),
    bytes === undefined ? '' : sizeText(bytes),
    durationText(ms),
  ]
}

function copyFacts({ copied }: TableFinished): readonly string[] {
  if (copied === undefined) return ['', '', '', '', '']
  const { proved, earlier, chunks, read, written, quarantined } = copied
  return [
    `${grouped(proved)} of ${grouped(chunks)}`,
    grouped(earlier),
    grouped(read),
    grouped(written),
    grouped(quarantined),
  ]
}

export type GithubOptions = { readonly summaryFile: string | undefined; readonly redact: (text: string) => string }

export function githubFrontend(output: Output, options: GithubOptions): Frontend {
  const counts: Record<Kind, number> = { error: 0, warning: 0, notice: 0 }
  const rows: string[] = []
  const annotated = new Set<string>()
  const archived = new ArchiveRows()
  let command = ''
  let left = 0
  const say = (kind: Kind, title: string, message: string): void => {
    counts[kind] += 1
    if (counts[kind] > MAX_ANNOTATIONS) return
    const clean = options.redact(message)
    output.talk(`::${kind} title=${escapeProperty(oneLine(options.redact(title)))}::${escapeMessage(clean)}\n`)
  }
  const addRow = (event: TableFinished): void => {
    if (rows.length >= MAX_ROWS) {
      left += 1
      return
    }
    const reported = [...(event.notes ?? []), ...dependencyLines(event.leftBehind ?? [])].join('; ')
    const notes =
      event.error === undefined
        ? reported
        : [
            `${event.error.code} ${event.error.message}`,
            ...(command === 'copy' && reported !== '' ? [reported] : []),
          ].join('; ')
    const facts = command === 'copy' ? copyFacts(event) : importFacts(event)
    rows.push(`| ${[event.table, event.status, ...facts, notes].map(cell).join(' | ')} |`)
  }
  const summary = (finished: Extract<Event, { type: 'run.finished' }>): void => {
    if (options.summaryFile === undefined || options.summaryFile === '') return
    const lines = [`### sluice ${cell(command)}: ${finished.status}, exit ${finished.exitCode}`, '']
    const partitions = archived.rows()
    const total = archived.total(finished)
    for (const row of [...partitions.slice(0, MAX_ROWS), ...(total === null ? [] : [total])])
      rows.push(`| ${row.map(cell).join(' | ')} |`)
    if (archived.forecasts.length > 0) lines.push(...archived.forecasts.map((line) => `- ${cell(line)}`), '')
    if (rows.length > 0) {
      const columns =
        partitions.length > 0 ? ARCHIVE_SUMMARY_COLUMNS : command === 'copy' ? COPY_COLUMNS : IMPORT_COLUMNS
      lines.push(`| ${columns.join(' | ')} |`, `| ${columns.map(() => '---').join(' | ')} |`, ...rows, '')
      if (left > 0) lines.push(`and ${grouped(left)} more tables`, '')
      if (partitions.length > MAX_ROWS) lines.push(`and ${grouped(partitions.length - MAX_ROWS)} more partitions`, '')
    }
    // Dependencies that belong to a table are in the row of that table.
    const others = dependencyLines((finished.leftBehind ?? []).filter(({ table }) => table === undefined))
    if (others.length > 0) lines.push(...others.map((line) => `- ${cell(line)}`), '')
    if (finished.error !== undefined) lines.push(`${finished.error.code}: ${cell(finished.error.message)}`, '')
    if (finished.resumeCommand !== undefined) lines.push('To resume:', '', ...fenced(finished.resumeCommand), '')
    try {
      appendFileSync(options.summaryFile, options.redact(`${lines.join('\n')}\n`))
    } catch (error) {
      // The summary is optional: an error must not fail the run.
      say('warning', 'no step summary', error instanceof Error ? error.message : String(error))
    }
  }
  const finish = (finished: Extract<Event, { type: 'run.finished' }>): void => {
    const { error } = finished
    const code = error === undefined ? '' : `${error.code} ${error.message}`
    // Do not repeat an error that the tables have already reported.
    const named =
      annotated.has(code) || (annotated.size > 0 && error !== undefined && ERROR_CODES[error.code] === 'verify')
    if (error !== undefined && ERROR_CODES[error.code] !== 'stopped' && !named) {
      say('error', `${command}: ${error.code}`, errorText(error))
    }
    if (error !== undefined && ERROR_CODES[error.code] === 'stopped') {
      say('warning', `${command} stopped`, finished.resumeCommand ?? error.message)
    }
    for (const kind of ['error', 'warning', 'notice'] as const) {
      const more = counts[kind] - MAX_ANNOTATIONS
      if (more > 0) output.talk(`::${kind} title=sluice::and ${grouped(more)} more\n`)
    }
    summary(finished)
  }
  return {
    event: (event: Event) => {
      archived.event(event)
      const annotation = annotationOf(event)
      if (annotation !== null) {
        if (annotation.reported !== undefined) annotated.add(annotation.reported)
        say(annotation.kind, annotation.title, annotation.message)
        return
      }
      if (event.type === 'run.started') command = event.command
      else if (event.type === 'table.finished') {
        addRow(event)
        if (event.error !== undefined && (event.status === 'failed' || event.status === 'refused')) {
          const text = `${event.error.code} ${event.error.message}`
          // A failed chunk has already reported the same cause.
          if (annotated.has(`${event.table} ${text}`)) return
          annotated.add(text)
          say(
            event.status === 'failed' ? 'error' : 'warning',
            `${event.table}: ${event.error.code}`,
            errorText(event.error),
          )
        }
      } else if (event.type === 'verify.mismatch') {
        annotated.add('DIFFERENCES')
        const at = event.path === undefined ? '' : ` ${event.path}`
        say(
          'error',
          `${event.table} v${event.version} differs`,
          `${event.check}${at} ${event.field}: ${event.sides?.[0] ?? 'log'} ${event.log}, ${event.sides?.[1] ?? 'catalog'} ${event.catalog}`,
        )
      } else if (event.type === 'fsck.finding' && event.level === 'finding') {
        annotated.add('DIFFERENCES')
        say(
          'error',
          `${event.table}: ${event.finding}`,
          `${event.path ?? ''} ${event.detail}\ndo: ${event.hint}`.trim(),
        )
      } else if (event.type === 'chunk.failed' && command === 'copy') {
        const text = `${event.error.code} ${event.error.message}`
        if (annotated.has(`${event.table} ${text}`)) return
        annotated.add(`${event.table} ${text}`).add(text)
        say('error', `${event.table}: ${event.error.code}`, `chunk ${event.chunk}: ${errorText(event.error)}`)
      } else if (event.type === 'row.aside') {
        say('warning', `${event.table}: a row is quarantined`, `${rowKeyText(event.key)}: ${event.error.message}`)
      } else if (event.type === 'difference') {
        annotated.add('DIFFERENCES')
        const columns = (event.columns ?? []).map(({ column }) => column).join(', ')
        say('error', `${event.table} differs`, `${rowKeyText(event.key)}: ${event.difference} ${columns}`.trimEnd())
      } else if (event.type === 'log' && event.level === 'warn') {
        const todo = event.hint === undefined ? '' : `\ndo: ${event.hint}`
        say('warning', event.table ?? command, event.message + todo)
      } else if (event.type === 'run.finished') finish(event)
    },
    close: () => {},
  }
}
