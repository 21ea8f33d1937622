/** Events of listing commands as rows of an aligned table. */
import type { Event, PlanLine, QuestionEvent, AnswerTiming } from '../model/run/event.ts'
import { ARCHIVED, ERASURES, EXPIRIES, ARCHIVE_FINDINGS } from './archive-listings.ts'
import { COPY_CHUNKS, COPY_RUNS, QUARANTINE, RELATIONS, SLOT_LISTING } from './copy-listings.ts'
import { sizeText, durationText, factorText, grouped, measureText, timeText } from '../shared/figures.ts'
import { visible } from '../shared/visible.ts'
import type { Listing } from './listing.ts'
import type { Drawn } from './row-writer.ts'
import { left, NONE, right, timeCell, type TableColumn } from './column.ts'
import { SCHEDULE_RUNS, SCHEDULE_TIMES, SCHEDULES } from './schedule-listings.ts'
import { SHARED_RUNS, SHARED_SLOTS, WORKERS } from './worker-listings.ts'

/** Partitions of live tables, and archived ones that are no longer in their table. */
const PARTITIONS: Listing = {
  columns: [
    left('TABLE'),
    left('PARTITION'),
    left('PERIOD'),
    left('STATE'),
    left('FROM'),
    left('TO'),
    right('ROWS'),
    right('SIZE'),
    right('AGE'),
    left('NOTES'),
  ],
  row: (event) =>
    event.type !== 'partition'
      ? null
      : [
          visible(event.table),
          visible(event.partition),
          event.label ?? NONE,
          event.state,
          visible(event.from ?? NONE),
          visible(event.to ?? NONE),
          event.rows === undefined ? NONE : `${event.estimated ? '~' : ''}${grouped(event.rows)}`,
          event.bytes === undefined ? NONE : sizeText(event.bytes),
          event.age === undefined ? NONE : String(event.age),
          visible(event.note ?? ''),
        ],
}

const count = (value: string | undefined): string => (value === undefined ? NONE : grouped(value))
const bytes = (value: string | undefined): string => (value === undefined ? NONE : sizeText(value))
const version = (value: string | undefined): string => (value === undefined ? NONE : `v${value}`)
/** Formats a time in Delta's own form, ms since the epoch; a log may hold any number. */
const epoch = (ms: string): string =>
  Math.abs(Number(ms)) <= 8.64e15 ? timeText(new Date(Number(ms)).toISOString()) : `${ms} ms`

/** `year=2024/region=eu`; a null value is written as Hive writes it. */
function partitionText(values: Readonly<Record<string, string | null>>): string {
  const parts = Object.entries(values).map(([name, value]) => `${name}=${value ?? '__HIVE_DEFAULT_PARTITION__'}`)
  return parts.length === 0 ? NONE : parts.join('/')
}

/** Tables and database files share one list, because `discover` finds both. */
const found: Listing = {
  columns: [
    left('TABLE'),
    right('VERSION'),
    right('FILES'),
    right('SIZE'),
    right('ROWS'),
    left('LAST COMMIT'),
    left('PARTITIONED BY'),
    left('NOTES'),
  ],
  row: (event) => {
    if (event.type === 'source') {
      const kind = `${event.system} database`
      return [event.source, NONE, NONE, bytes(event.bytes), NONE, timeCell(event.modified), NONE, kind]
    }
    if (event.type !== 'table') return null
    const notes = [
      event.error === undefined ? (event.readable ? '' : 'not readable') : `${event.error.code} ${event.error.message}`,
      event.historyFrom === undefined || event.historyFrom === '0' ? '' : `answers from v${event.historyFrom}`,
      event.features?.join(' ') ?? '',
    ]
    return [
      event.table,
      version(event.version),
      count(event.files),
      bytes(event.bytes),
      count(event.rows),
      timeCell(event.lastCommit),
      event.partitionColumns === undefined || event.partitionColumns.length === 0
        ? NONE
        : event.partitionColumns.join(', '),
      notes.filter((note) => note !== '').join('; '),
    ]
  },
}

const files: Listing = {
  columns: [
    left('PATH'),
    right('SIZE'),
    right('ROWS'),
    right('DELETED'),
    right('ADDED'),
    left('MODIFIED'),
    left('PARTITION'),
  ],
  row: (event) =>
    event.type !== 'file'
      ? null
      : [
          event.path,
          bytes(event.size),
          count(event.rows),
          event.deletedRows === undefined || event.deletedRows === '0' ? NONE : grouped(event.deletedRows),
          version(event.addedVersion),
          epoch(event.modified),
          partitionText(event.partitionValues),
        ],
}

const commits: Listing = {
  columns: [
    right('VERSION'),
    left('TIME'),
    left('OPERATION'),
    right('ADDED'),
    right('REMOVED'),
    right('BYTES ADDED'),
    right('FILES'),
    right('SIZE'),
    left('NOTES'),
  ],
  row: (event) =>
    event.type !== 'commit'
      ? null
      : [
          version(event.version),
          timeCell(event.time),
          event.operation ?? NONE,
          grouped(event.adds),
          grouped(event.removes),
          bytes(event.addedBytes),
          count(event.files),
          bytes(event.bytes),
          [event.checkpoint ? 'checkpoint' : '', event.engine ?? ''].filter((note) => note !== '').join('; '),
        ],
}

const changes: Listing = {
  columns: [right('VERSION'), left('CHANGE'), right('SIZE'), right('ROWS'), left('WHAT')],
  row: (event) =>
    event.type !== 'change'
      ? null
      : [
          version(event.version),
          event.change,
          bytes(event.size),
          count(event.rows),
          [event.path ?? '', event.detail ?? '', event.dataChange === false ? '(no change of data)' : '']
            .filter((part) => part !== '')
            .join('  '),
        ],
}

const runs: Listing = {
  columns: [
    left('RUN'),
    { ...left('COMMAND'), most: 48, rank: 2 },
    { ...left('TABLE'), most: 40 },
    left('STATUS'),
    right('VERSION'),
    right('BEHIND'),
    // Files that the import has added to the catalog, not all files of the table.
    { ...right('FILES IMPORTED'), rank: 3 },
    { ...left('STARTED'), rank: 4 },
    { ...left('COMPLETED'), rank: 1 },
    left('ERROR'),
  ],
  row: (event) =>
    event.type !== 'run'
      ? null
      : [
          event.run,
          event.command,
          event.table,
          event.status,
          version(event.version),
          count(event.behind),
          count(event.filesProcessed),
          timeCell(event.startedAt),
          timeCell(event.completedAt),
          event.error ?? '',
        ],
}

/** Columns of `runs --here`; its rows are emitted as values, for users of JSON. */
export const RUNS_HERE: Drawn['columns'] = {
  exit: { align: 'right', rank: 4, none: '' },
  command: { rank: 3 },
  'goes on by': { below: true },
  started: { rank: 2, text: timeText },
  ended: { rank: 1, text: timeText, none: '' },
}

/** The listing to which an event belongs; null if it is not a row of a listing. */
export function listingOf(event: Event): Listing | null {
  switch (event.type) {
    case 'table':
    case 'source':
      return found
    case 'file':
      return files
    case 'commit':
      return commits
    case 'change':
      return changes
    case 'run':
      return runs
    case 'copy.run':
      return COPY_RUNS
    case 'copy.chunk':
      return COPY_CHUNKS
    case 'quarantine.row':
      return QUARANTINE
    case 'slot':
      return SLOT_LISTING
    case 'schedule':
      return SCHEDULES
    case 'schedule.time':
      return SCHEDULE_TIMES
    case 'schedule.run':
      return SCHEDULE_RUNS
    case 'worker':
      return WORKERS
    case 'shared.run':
      return SHARED_RUNS
    case 'shared.slot':
      return SHARED_SLOTS
    case 'relation':
      return RELATIONS
    case 'archived':
      return ARCHIVED
    case 'partition':
      return PARTITIONS
    case 'archive.finding':
      return ARCHIVE_FINDINGS
    case 'archive.expiry':
      return EXPIRIES
    case 'archive.erasure':
      return ERASURES
    default:
      return null
  }
}

export const PLAN_COLUMNS: readonly TableColumn[] = [
  left('TABLE'),
  left('PLAN'),
  left('VERSIONS'),
  right('COMMITS'),
  right('FILES'),
  right('SIZE'),
  right('ROWS'),
  right('LOG'),
  right('ABOUT'),
  left('NOTES'),
]

/** One table of a plan, as `--dry-run` shows it. */
export function planRow(line: PlanLine): readonly string[] {
  // For a current table there is nothing to import: its "from" is after its "to".
  const from =
    line.status === 'current' || line.fromVersion === undefined || line.fromVersion === line.toVersion
      ? ''
      : `v${line.fromVersion}..`
  return [
    line.table,
    line.status,
    line.toVersion === undefined ? NONE : `${from}v${line.toVersion}`,
    count(line.commits),
    count(line.files),
    bytes(line.bytes),
    count(line.rows),
    bytes(line.logBytes),
    line.estimatedMs === undefined ? NONE : durationText(line.estimatedMs),
    line.error === undefined ? '' : `${line.error.code} ${line.error.message}`,
  ]
}

const QUESTION_WIDTHS = [25, 9, 7, 7, 7, 7, 7, 7, 6, 7, 4] as const

function questionLine(columns: readonly string[]): string {
  return `${columns
    .map((column, index) => column.padEnd(QUESTION_WIDTHS[index] ?? 0))
    .join('  ')
    .trimEnd()}\n`
}

/** Fixed widths, because answers arrive minutes apart and each is printed at once. */
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
