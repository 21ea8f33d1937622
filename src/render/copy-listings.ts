/** Tables of a database, copies, quarantined rows and differences as rows of aligned tables. */
import type { CopyPlanLine, DifferenceEvent, RelationEvent } from '../model/run/event.ts'
import { sizeText, clockText, grouped, timeText } from '../shared/figures.ts'
import { listing } from './listing.ts'
import { visible } from '../shared/visible.ts'
import { cells, pad } from './cells.ts'
import { countCell, exitCell, left, NONE, notesCell, right, timeCell, titled, type ListColumn } from './column.ts'

/** An empty table may take this many bytes with its indexes. */
const EMPTY_BYTES = 100_000

/** Tables of a database. */
export const RELATIONS = listing('relation', [
  left('TABLE', (event) => visible(event.table)),
  right('ROWS', relationRows),
  right('SIZE', (event) => (event.bytes === '0' ? NONE : sizeText(event.bytes))),
  left('KEY', (event) => (event.key.length === 0 ? NONE : visible(event.key.join(', ')))),
  left('PARTITIONS', (event) => event.partitioning ?? NONE),
  left('RESUMABLE', (event) => (event.resumable ? 'yes' : 'no')),
  left('NOTES', (event) => event.note ?? ''),
])

/** Number of rows as text. `?` if a system estimates 0 rows for a table with data, because it has no statistics. */
function relationRows({ rows, estimated, bytes }: RelationEvent): string {
  if (estimated && rows === '0' && Number(bytes) > EMPTY_BYTES) return '?'
  return `${estimated && rows !== '0' ? '~' : ''}${grouped(rows)}`
}

/** Copies into a database. */
export const COPY_RUNS = listing('copy.run', [
  left('RUN', (event) => event.run),
  left('OPERATION', (event) => visible(event.operation)),
  left('SOURCE', (event) => visible(event.source), { most: 48 }),
  left('STATUS', (event) => visible(event.status)),
  right('EXIT', (event) => exitCell(event.exitCode)),
  right('ROWS', (event) => grouped(event.rows), { rank: 2 }),
  left('STARTED', (event) => timeCell(event.startedAt), { rank: 3 }),
  left('ENDED', (event) => timeCell(event.completedAt), { rank: 1 }),
  left('ERROR', (event) => visible(event.error ?? '')),
])

/** Chunks of one copy, failed ones first. */
export const COPY_CHUNKS = listing('copy.chunk', [
  left('TABLE', (event) => visible(event.table)),
  right('CHUNK', (event) => event.chunk),
  left('STATUS', (event) => visible(event.status)),
  right(
    'TOKEN MIN',
    (event) => event.tokenMin ?? (event.after === undefined ? NONE : `behind ${cutListed(event.after)}`),
  ),
  right('TOKEN MAX', (event) => event.tokenMax ?? (event.through === undefined ? NONE : cutListed(event.through))),
  right('ROWS', (event) => grouped(event.rows)),
  right('ATTEMPTS', (event) => String(event.attempts)),
  left('ERROR', (event) => visible(event.error ?? '')),
])

/** Quarantined rows. */
export const QUARANTINE = listing('quarantine.row', [
  left('RUN', (event) => event.run),
  left('TABLE', (event) => visible(event.table)),
  left('KEY', (event) =>
    event.key.length === 0 ? NONE : cutListed(event.key.map((part) => part ?? 'NULL').join(', ')),
  ),
  left('CODE', (event) => event.code),
  left('MESSAGE', (event) => visible(event.message)),
  left('SINCE', (event) => timeText(event.at)),
])

/** Replication slots of a source. */
export const SLOT_LISTING = listing('slot', [
  left('SLOT', (event) => visible(event.slot)),
  left('PLUGIN', (event) => visible(event.plugin ?? NONE)),
  left('DATABASE', (event) => visible(event.database ?? NONE)),
  left('ACTIVE', (event) => (event.active ? 'yes' : 'no')),
  left('STATUS', (event) => event.status ?? NONE),
  right('HELD', (event) => (event.held === null ? NONE : sizeText(event.held))),
  right('SAFE', (event) => (event.safe === null ? NONE : sizeText(event.safe))),
  left('CONFIRMED', (event) => event.confirmed ?? NONE),
  left('RUN', (event) => event.run ?? NONE),
])

export const DIFFERENCE_COLUMNS = titled('TABLE', 'KEY', 'DIFFERENCE', 'COLUMN', 'SOURCE', 'TARGET')

/** Texts with more characters are cut; JSON lines have the whole values. */
const SHOWN = 60

/** One line per column that differs, or one line for a row that is missing on one side. */
export function differenceRows(event: DifferenceEvent): readonly (readonly string[])[] {
  const { table, key, columns = [] } = event
  const what = `${event.difference}${event.fixed === true ? ', fixed' : ''}`
  const head = [visible(table), cutListed(key.join(', ')), what]
  if (columns.length === 0) return [[...head, NONE, NONE, NONE]]
  return columns.map(({ column, source, target }, index) => [
    ...(index === 0 ? head : [visible(table), cutListed(key.join(', ')), '']),
    visible(column),
    valueText(source),
    valueText(target),
  ])
}

/** Quotes the text `NULL`, to distinguish it from NULL. */
function valueText(value: string | null): string {
  if (value === null) return 'NULL'
  return value === '' || value === 'NULL' ? `'${value}'` : cutListed(value)
}

export function cutListed(text: string, most = SHOWN): string {
  const shown = visible(text)
  return shown.length <= most ? shown : `${shown.slice(0, most - 3)}...`
}

/** One table of the plan of a copy, as `--dry-run` shows it. */
export const COPY_PLAN: readonly ListColumn<CopyPlanLine>[] = [
  left('TABLE', (line) => visible(line.table)),
  left('TO', (line) => visible(line.to)),
  left('PLAN', (line) => (line.status === 'refused' ? 'refused' : `${line.status}${line.create ? ', create' : ''}`)),
  right('ROWS', (line) => (isKnown(line) ? `${line.estimated ? '~' : ''}${grouped(line.rows)}` : NONE)),
  right('SIZE', (line) => (line.bytes === '0' ? NONE : sizeText(line.bytes))),
  right('CHUNKS', (line) =>
    isKnown(line) ? `${line.chunksEstimated === true ? '~' : ''}${grouped(line.chunks)}` : NONE,
  ),
  right('OF', (line) => (isKnown(line) ? grouped(line.chunkRows) : NONE)),
  left('BY', (line) => (line.key.length === 0 ? NONE : visible(line.key.join(', ')))),
  left('PROOF', (line) => (line.status === 'refused' ? NONE : line.proof)),
  left('ON EXISTING', (line) => (line.status === 'refused' ? NONE : line.onExisting)),
  right('REQUESTS', (line) => countCell(line.requests)),
  right('AT LEAST', ({ requestMs: ms = 0 }) => (ms < 1000 ? NONE : clockText(ms))),
  left('NOTES', ({ error, notes = [] }) =>
    notesCell(error === undefined ? '' : `${error.code} ${error.message}`, ...notes),
  ),
]

const isKnown = ({ chunkRows }: CopyPlanLine): boolean => chunkRows !== '0'

/** `old -> new` for a renamed column. */
function columnName({ from, to }: CopyPlanLine['columns'][number]): string {
  return from === to ? visible(from) : `${visible(from)} -> ${visible(to)}`
}

/** Terminal cells of a column in the list of types; a longer text shifts the rest of its own line. */
const MOST_WIDE = 40

/** The target type of each column of a table, as aligned lines. */
export function typeMap(columns: CopyPlanLine['columns']): readonly string[] {
  const rows = [
    ['COLUMN', 'SOURCE TYPE', 'TARGET TYPE', 'NOTE'],
    ...columns.map((column) => [
      columnName(column),
      visible(column.source),
      visible(column.target),
      column.lossy === undefined ? '' : `lossy, accepted: ${column.lossy}`,
    ]),
  ]
  const width = (index: number): number => Math.min(MOST_WIDE, Math.max(...rows.map((row) => cells(row[index] ?? ''))))
  const [names, sources, targets] = [width(0), width(1), width(2)]
  return rows.map(([name = '', source = '', target = '', note = '']) =>
    `${pad(name, names)}  ${pad(source, sources)} -> ${pad(target, targets)}  ${note}`.trimEnd(),
  )
}
