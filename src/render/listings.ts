/** Events of listing commands as rows of an aligned table. */
import type { Event, EventType, PlanLine, QuestionEvent, AnswerTiming } from '../model/run/event.ts'
import { ARCHIVED, ERASURES, EXPIRIES, ARCHIVE_FINDINGS } from './archive-listings.ts'
import { COPY_CHUNKS, COPY_RUNS, QUARANTINE, RELATIONS, SLOT_LISTING } from './copy-listings.ts'
import { sizeText, durationText, factorText, grouped, measureText, timeText } from '../shared/figures.ts'
import { visible } from '../shared/visible.ts'
import { listing, type Listing } from './listing.ts'
import type { Drawn } from './row-writer.ts'
import { countCell, left, NONE, notesCell, right, sizeCell, timeCell, versionCell, type ListColumn } from './column.ts'
import { SCHEDULE_RUNS, SCHEDULE_TIMES, SCHEDULES } from './schedule-listings.ts'
import { SHARED_RUNS, SHARED_TASKS, WORKERS } from './worker-listings.ts'

/** Partitions of live tables, and archived ones that are no longer in their table. */
const PARTITIONS = listing('partition', [
  left('TABLE', (event) => visible(event.table)),
  left('PARTITION', (event) => visible(event.partition)),
  left('PERIOD', (event) => event.label ?? NONE),
  left('STATE', (event) => event.state),
  left('FROM', (event) => visible(event.from ?? NONE)),
  left('TO', (event) => visible(event.to ?? NONE)),
  right('ROWS', (event) => (event.rows === undefined ? NONE : `${event.estimated ? '~' : ''}${grouped(event.rows)}`)),
  right('SIZE', (event) => sizeCell(event.bytes)),
  right('AGE', (event) => (event.age === undefined ? NONE : String(event.age))),
  left('NOTES', (event) => visible(event.note ?? '')),
])

/**
 * Formats a time of a Delta log, ms since the epoch. A log may hold any number: one that is no valid time is printed
 * as a number of ms.
 */
const epoch = (ms: string): string =>
  Math.abs(Number(ms)) <= 8.64e15 ? timeText(new Date(Number(ms)).toISOString()) : `${ms} ms`

/** `year=2024/region=eu`; a null value is written as Hive writes it. */
function partitionText(values: Readonly<Record<string, string | null>>): string {
  const parts = Object.entries(values).map(([name, value]) => `${name}=${value ?? '__HIVE_DEFAULT_PARTITION__'}`)
  return parts.length === 0 ? NONE : parts.join('/')
}

const tables = listing('table', [
  left('TABLE', (event) => event.table),
  right('VERSION', (event) => versionCell(event.version)),
  right('FILES', (event) => countCell(event.files)),
  right('SIZE', (event) => sizeCell(event.bytes)),
  right('ROWS', (event) => countCell(event.rows)),
  left('LAST COMMIT', (event) => timeCell(event.lastCommit)),
  left('PARTITIONED BY', ({ partitionColumns: by = [] }) => (by.length === 0 ? NONE : by.join(', '))),
  left('NOTES', ({ error, readable, historyFrom = '0', features = [] }) =>
    notesCell(
      error === undefined ? (readable ? '' : 'not readable') : `${error.code} ${error.message}`,
      historyFrom === '0' ? '' : `answers from v${historyFrom}`,
      features.join(' '),
    ),
  ),
])

/** One list for tables and database files, because `discover` finds both. */
const found: Listing = {
  columns: tables.columns,
  row: (event) => {
    if (event.type !== 'source') return tables.row(event)
    const kind = `${event.system} database`
    return [event.source, NONE, NONE, sizeCell(event.bytes), NONE, timeCell(event.modified), NONE, kind]
  },
}

const files = listing('file', [
  left('PATH', (event) => event.path),
  right('SIZE', (event) => sizeCell(event.size)),
  right('ROWS', (event) => countCell(event.rows)),
  right('DELETED', (event) => (event.deletedRows === '0' ? NONE : countCell(event.deletedRows))),
  right('ADDED', (event) => versionCell(event.addedVersion)),
  left('MODIFIED', (event) => epoch(event.modified)),
  left('PARTITION', (event) => partitionText(event.partitionValues)),
])

const commits = listing('commit', [
  right('VERSION', (event) => versionCell(event.version)),
  left('TIME', (event) => timeCell(event.time)),
  left('OPERATION', (event) => event.operation ?? NONE),
  right('ADDED', (event) => grouped(event.adds)),
  right('REMOVED', (event) => grouped(event.removes)),
  right('BYTES ADDED', (event) => sizeCell(event.addedBytes)),
  right('FILES', (event) => countCell(event.files)),
  right('SIZE', (event) => sizeCell(event.bytes)),
  left('NOTES', (event) => notesCell(event.checkpoint ? 'checkpoint' : '', event.engine ?? '')),
])

const changes = listing('change', [
  right('VERSION', (event) => versionCell(event.version)),
  left('CHANGE', (event) => event.change),
  right('SIZE', (event) => sizeCell(event.size)),
  right('ROWS', (event) => countCell(event.rows)),
  left('WHAT', (event) =>
    [event.path ?? '', event.detail ?? '', event.dataChange === false ? '(no change of data)' : '']
      .filter((part) => part !== '')
      .join('  '),
  ),
])

const runs = listing('run', [
  left('RUN', (event) => event.run),
  left('COMMAND', (event) => event.command, { most: 48, rank: 2 }),
  left('TABLE', (event) => event.table, { most: 40 }),
  left('STATUS', (event) => event.status),
  right('VERSION', (event) => versionCell(event.version)),
  right('BEHIND', (event) => countCell(event.behind)),
  right('FILES IMPORTED', (event) => countCell(event.filesProcessed), { rank: 3 }),
  left('STARTED', (event) => timeCell(event.startedAt), { rank: 4 }),
  left('COMPLETED', (event) => timeCell(event.completedAt), { rank: 1 }),
  left('ERROR', (event) => event.error ?? ''),
])

/** Columns of `runs --here`. Its rows are events of type `row`, as for a query, so that JSON lines have the values. */
export const RUNS_HERE: Drawn['columns'] = {
  exit: { align: 'right', rank: 4, none: '' },
  command: { rank: 3 },
  'goes on by': { below: true },
  started: { rank: 2, text: timeText },
  ended: { rank: 1, text: timeText, none: '' },
}

const LISTINGS: Readonly<Partial<Record<EventType, Listing>>> = {
  table: found,
  source: found,
  file: files,
  commit: commits,
  change: changes,
  run: runs,
  'copy.run': COPY_RUNS,
  'copy.chunk': COPY_CHUNKS,
  'quarantine.row': QUARANTINE,
  slot: SLOT_LISTING,
  schedule: SCHEDULES,
  'schedule.time': SCHEDULE_TIMES,
  'schedule.run': SCHEDULE_RUNS,
  worker: WORKERS,
  'shared.run': SHARED_RUNS,
  'shared.slot': SHARED_TASKS,
  relation: RELATIONS,
  archived: ARCHIVED,
  partition: PARTITIONS,
  'archive.finding': ARCHIVE_FINDINGS,
  'archive.expiry': EXPIRIES,
  'archive.erasure': ERASURES,
}

/** The listing to which an event belongs; null if it is not a row of a listing. */
export function listingOf(event: Event): Listing | null {
  return LISTINGS[event.type] ?? null
}

/** One table of the plan of an import. */
export const PLAN: readonly ListColumn<PlanLine>[] = [
  left('TABLE', (line) => line.table),
  left('PLAN', (line) => line.status),
  left('VERSIONS', planVersions),
  right('COMMITS', (line) => countCell(line.commits)),
  right('FILES', (line) => countCell(line.files)),
  right('SIZE', (line) => sizeCell(line.bytes)),
  right('ROWS', (line) => countCell(line.rows)),
  right('LOG', (line) => sizeCell(line.logBytes)),
  right('EST. TIME', (line) => (line.estimatedMs === undefined ? NONE : durationText(line.estimatedMs))),
  left('NOTES', ({ error }) => (error === undefined ? '' : `${error.code} ${error.message}`)),
]

function planVersions({ status, fromVersion, toVersion }: PlanLine): string {
  // A current table has nothing to import: its `fromVersion` is higher than its `toVersion`.
  if (status === 'current' || fromVersion === undefined || fromVersion === toVersion) return versionCell(toVersion)
  return toVersion === undefined ? NONE : `v${fromVersion}..v${toVersion}`
}

const QUESTION_WIDTHS = [25, 9, 7, 7, 7, 7, 7, 7, 6, 7, 4] as const

function questionLine(columns: readonly string[]): string {
  return `${columns
    .map((column, index) => column.padEnd(QUESTION_WIDTHS[index] ?? 0))
    .join('  ')
    .trimEnd()}\n`
}

/** Fixed widths, because answers arrive minutes apart, and each is printed when it arrives. */
export const QUESTION_HEADER = questionLine(
  'QUESTION|FILES p50|p95|cold|read|SQL p50|p95|cold|read|ROWS|SAME|FASTER'.split('|'),
)

function sideCells(side: AnswerTiming): readonly string[] {
  return [
    measureText(side.p50Ms),
    measureText(side.p95Ms),
    side.coldMs === null ? NONE : measureText(side.coldMs),
    side.readBytes === null ? NONE : sizeText(side.readBytes),
  ]
}

/** One question with the measurements of both sides. */
export function questionRow(event: QuestionEvent): string {
  const { faster } = event
  const winner = faster === 'even' ? 'even' : `${faster === 'sql' ? 'SQL' : 'files'} ${factorText(event.factor)}`
  const same = event.same ? 'yes' : 'NO'
  return questionLine([
    event.title,
    ...sideCells(event.files),
    ...sideCells(event.sql),
    grouped(event.rows),
    same,
    winner,
  ])
}
