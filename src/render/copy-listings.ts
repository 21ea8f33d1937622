/** Tables of a database, copies, quarantined rows and differences as rows of aligned tables. */
import type { CopyPlanLine, DifferenceEvent, RelationEvent } from '../model/run/event.ts'
import { sizeText, clockText, grouped, timeText } from '../shared/figures.ts'
import type { Listing } from './listing.ts'
import { visible } from '../shared/visible.ts'
import { cells, pad } from './cells.ts'
import { left, NONE, right, type TableColumn } from './column.ts'

const RELATION_COLUMNS: readonly TableColumn[] = [
  left('TABLE'),
  right('ROWS'),
  right('SIZE'),
  left('KEY'),
  left('PARTITIONS'),
  left('RESUMABLE'),
  left('NOTES'),
]

/** An empty table may take this many bytes with its indexes. */
const EMPTY_BYTES = 100_000

function relationRow(event: RelationEvent): readonly string[] {
  const { table, rows, estimated, bytes, key, partitioning, resumable, note } = event
  return [
    visible(table),
    // Without statistics a system may estimate 0 rows for a table with data.
    estimated && rows === '0' && Number(bytes) > EMPTY_BYTES
      ? '?'
      : `${estimated && rows !== '0' ? '~' : ''}${grouped(rows)}`,
    bytes === '0' ? NONE : sizeText(bytes),
    key.length === 0 ? NONE : visible(key.join(', ')),
    partitioning ?? NONE,
    resumable ? 'yes' : 'no',
    note ?? '',
  ]
}

/** Tables of a database. */
export const RELATIONS: Listing = {
  columns: RELATION_COLUMNS,
  row: (event) => (event.type === 'relation' ? relationRow(event) : null),
}

/** Copies into a database. */
export const COPY_RUNS: Listing = {
  columns: [
    left('RUN'),
    left('OPERATION'),
    { ...left('SOURCE'), most: 48 },
    left('STATUS'),
    right('EXIT'),
    { ...right('ROWS'), rank: 2 },
    { ...left('STARTED'), rank: 3 },
    { ...left('ENDED'), rank: 1 },
    left('ERROR'),
  ],
  row: (event) =>
    event.type !== 'copy.run'
      ? null
      : [
          event.run,
          visible(event.operation),
          visible(event.source),
          visible(event.status),
          event.exitCode === undefined ? NONE : String(event.exitCode),
          grouped(event.rows),
          event.startedAt === undefined ? NONE : timeText(event.startedAt),
          event.completedAt === undefined ? NONE : timeText(event.completedAt),
          visible(event.error ?? ''),
        ],
}

/** Chunks of one copy, failed ones first. */
export const COPY_CHUNKS: Listing = {
  columns: [
    left('TABLE'),
    right('CHUNK'),
    left('STATUS'),
    right('TOKEN MIN'),
    right('TOKEN MAX'),
    right('ROWS'),
    right('ATTEMPTS'),
    left('ERROR'),
  ],
  row: (event) =>
    event.type !== 'copy.chunk'
      ? null
      : [
          visible(event.table),
          event.chunk,
          visible(event.status),
          event.tokenMin ?? (event.after === undefined ? NONE : `behind ${cutListed(event.after)}`),
          event.tokenMax ?? (event.through === undefined ? NONE : cutListed(event.through)),
          grouped(event.rows),
          String(event.attempts),
          visible(event.error ?? ''),
        ],
}

/** Quarantined rows. */
export const QUARANTINE: Listing = {
  columns: [left('RUN'), left('TABLE'), left('KEY'), left('CODE'), left('MESSAGE'), left('SINCE')],
  row: (event) =>
    event.type !== 'quarantine.row'
      ? null
      : [
          event.run,
          visible(event.table),
          event.key.length === 0 ? NONE : cutListed(event.key.map((part) => part ?? 'NULL').join(', ')),
          event.code,
          visible(event.message),
          timeText(event.at),
        ],
}

/** Replication slots of a source. */
export const SLOT_LISTING: Listing = {
  columns: [
    left('SLOT'),
    left('PLUGIN'),
    left('DATABASE'),
    left('ACTIVE'),
    left('STATUS'),
    right('HELD'),
    right('SAFE'),
    left('CONFIRMED'),
    left('RUN'),
  ],
  row: (event) =>
    event.type !== 'slot'
      ? null
      : [
          visible(event.slot),
          visible(event.plugin ?? NONE),
          visible(event.database ?? NONE),
          event.active ? 'yes' : 'no',
          event.status ?? NONE,
          event.held === null ? NONE : sizeText(event.held),
          event.safe === null ? NONE : sizeText(event.safe),
          event.confirmed ?? NONE,
          event.run ?? NONE,
        ],
}

export const DIFFERENCE_COLUMNS: readonly TableColumn[] = [
  left('TABLE'),
  left('KEY'),
  left('DIFFERENCE'),
  left('COLUMN'),
  left('SOURCE'),
  left('TARGET'),
]

/** Longer texts are cut; JSON lines have the whole values. */
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

/** NULL is distinguished from the text `NULL`. */
function valueText(value: string | null): string {
  if (value === null) return 'NULL'
  return value === '' || value === 'NULL' ? `'${value}'` : cutListed(value)
}

export function cutListed(text: string, most = SHOWN): string {
  const shown = visible(text)
  return shown.length <= most ? shown : `${shown.slice(0, most - 3)}...`
}

export const COPY_PLAN_COLUMNS: readonly TableColumn[] = [
  left('TABLE'),
  left('TO'),
  left('PLAN'),
  right('ROWS'),
  right('SIZE'),
  right('CHUNKS'),
  right('OF'),
  left('BY'),
  left('PROOF'),
  left('ON EXISTING'),
  right('REQUESTS'),
  right('AT LEAST'),
  left('NOTES'),
]

/** One table of the plan of a copy, as `--dry-run` shows it. */
export function copyPlanRow(line: CopyPlanLine): readonly string[] {
  const known = line.chunkRows !== '0'
  return [
    visible(line.table),
    visible(line.to),
    line.status === 'refused' ? 'refused' : `${line.status}${line.create ? ', create' : ''}`,
    known ? `${line.estimated ? '~' : ''}${grouped(line.rows)}` : NONE,
    line.bytes === '0' ? NONE : sizeText(line.bytes),
    known ? `${line.chunksEstimated === true ? '~' : ''}${grouped(line.chunks)}` : NONE,
    known ? grouped(line.chunkRows) : NONE,
    line.key.length === 0 ? NONE : visible(line.key.join(', ')),
    line.status === 'refused' ? NONE : line.proof,
    line.status === 'refused' ? NONE : line.onExisting,
    line.requests === undefined ? NONE : grouped(line.requests),
    line.requestMs === undefined || line.requestMs < 1000 ? NONE : clockText(line.requestMs),
    [line.error === undefined ? '' : `${line.error.code} ${line.error.message}`, ...(line.notes ?? [])]
      .filter((note) => note !== '')
      .join('; '),
  ]
}

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
