/** Archive events as rows of aligned tables: plans, stored columns, partitions in the ledger, and findings. */
import type { ArchiveColumnsEvent, ArchivePlanEvent } from '../model/archive/events.ts'
import { archivedByText } from '../model/archive/cut-text.ts'
import { surplusText } from '../model/archive/surplus-text.ts'
import { cutListed } from './copy-listings.ts'
import { sizeText, durationText, grouped, plural, timeText } from '../shared/figures.ts'
import type { Listing } from './listing.ts'
import { visible } from '../shared/visible.ts'
import { tableWriter } from './text-table.ts'
import { left, NONE, right, type TableColumn } from './column.ts'

const count = (value: string | undefined): string => (value === undefined ? NONE : grouped(value))
const size = (value: string | undefined): string => (value === undefined ? NONE : sizeText(value))
const text = (value: string | undefined): string => (value === undefined ? NONE : visible(value))
const time = (value: string | undefined): string => (value === undefined ? NONE : timeText(value))

export const ARCHIVE_PLAN_COLUMNS: readonly TableColumn[] = [
  left('TABLE'),
  left('PARTITION'),
  left('PLAN'),
  left('STATE'),
  left('FROM'),
  left('TO'),
  right('ROWS'),
  right('SIZE'),
  right('ABOUT'),
  left('NOTE'),
]

/** One partition of a plan. */
export function archivePlanRow(event: ArchivePlanEvent): readonly string[] {
  const { table, partition, status, state, from, to, rows, estimated, bytes, estimatedMs, note } = event
  return [
    visible(table),
    visible(partition),
    status,
    state ?? NONE,
    text(from),
    text(to),
    `${estimated ? '~' : ''}${grouped(rows)}`,
    bytes === '0' ? NONE : sizeText(bytes),
    estimatedMs === undefined ? NONE : durationText(estimatedMs),
    visible(note ?? ''),
  ]
}

/** The stored types of the columns of a table, after a line with the archive. */
export function storedColumnsText(event: ArchiveColumnsEvent): string {
  const { table, archive, partitionColumn, columns, foreign, notLooked: notInspected = [] } = event
  let lines = `${visible(table)} -> ${visible(archive)}: ${visible(archivedByText(event))} in ${visible(partitionColumn)}, ${plural(columns.length, 'column')}\n`
  if (foreign !== undefined) lines += `a run would refuse this archive: ${visible(foreign)}\n`
  for (const what of notInspected) lines += `not inspected: ${visible(what)}\n`
  const rows = tableWriter([left('COLUMN'), left('SOURCE TYPE'), left('STORED AS'), left('NOTE')], (more) => {
    lines += more
  })
  for (const { column, source, stored, note = '' } of columns) {
    rows.row([visible(column), visible(source), stored, visible(note)])
  }
  rows.end()
  return lines
}

/** Partitions in the ledger. */
export const ARCHIVED: Listing = {
  columns: [
    left('TABLE'),
    left('PARTITION'),
    left('STATE'),
    left('FROM'),
    left('TO'),
    right('ROWS'),
    right('FILES'),
    right('SIZE'),
    right('WAS'),
    right('IN TABLE'),
    right('VERSION'),
    left('CHANGED'),
    left('DROP FROM'),
    left('ARCHIVE'),
    left('NOTES'),
  ],
  row: (event) =>
    event.type !== 'archived'
      ? null
      : [
          visible(event.table),
          visible(event.partition),
          event.state,
          text(event.from),
          text(event.to),
          count(event.rows),
          count(event.files),
          size(event.bytes),
          size(event.sourceBytes),
          count(event.counted),
          event.version === undefined ? NONE : `v${event.version}`,
          time(event.changedAt),
          time(event.dropAfter),
          visible(event.archive),
          [
            event.held === undefined ? '' : `held: ${cutListed(event.held)}`,
            event.expiredAt === undefined ? '' : `expired by ${visible(event.expiredBy ?? '')}`,
            event.until === undefined ? '' : `can be restored until ${timeText(event.until)}`,
            event.destroyedAt === undefined ? '' : `files destroyed ${timeText(event.destroyedAt)}`,
            event.surplus === undefined ? '' : surplusText(BigInt(event.surplus)),
            event.foreign === undefined ? '' : 'a run would refuse this archive',
            ...(event.notLooked ?? []).map((what) => `not inspected: ${cutListed(what)}`),
            cutListed(event.error ?? ''),
          ]
            .filter((note) => note !== '')
            .join('; '),
        ],
}

/** Differences between an archive and its proof, and unreferenced files. */
export const ARCHIVE_FINDINGS: Listing = {
  columns: [left('TABLE'), left('PARTITION'), left('FINDING'), left('PATH'), right('SIZE'), left('DETAIL')],
  row: (event) =>
    event.type !== 'archive.finding'
      ? null
      : [
          visible(event.table),
          text(event.partition),
          event.finding,
          text(event.path),
          size(event.bytes),
          visible(event.detail),
        ],
}

/** Rows that an erasure finds and removes. */
export const ERASURES: Listing = {
  columns: [
    left('TABLE'),
    left('PARTITION'),
    left('STATE'),
    right('IN FILES'),
    right('IN DATABASE'),
    right('FILES'),
    left('NOTE'),
  ],
  row: (event) =>
    event.type !== 'archive.erasure'
      ? null
      : [
          visible(event.table),
          text(event.partition),
          event.state ?? NONE,
          grouped(event.archived),
          grouped(event.source),
          grouped(event.files),
          [event.step === 'erased' ? 'erased' : '', event.held === undefined ? '' : `held: ${cutListed(event.held)}`]
            .filter((note) => note !== '')
            .join('; '),
        ],
}

/** Partitions that are removed from an archive permanently. */
export const EXPIRIES: Listing = {
  columns: [
    left('TABLE'),
    left('PARTITION'),
    left('STATE'),
    left('FROM'),
    left('TO'),
    right('ROWS'),
    right('FILES'),
    right('SIZE'),
    left('BACK UNTIL'),
    left('NOTE'),
  ],
  row: (event) =>
    event.type !== 'archive.expiry'
      ? null
      : [
          visible(event.table),
          visible(event.partition),
          event.state,
          text(event.from),
          text(event.to),
          count(event.rows),
          grouped(event.files),
          sizeText(event.bytes),
          time(event.until),
          [
            event.step === 'due' ? 'goes' : event.step === 'expired' ? 'expired' : 'stays',
            event.held === undefined ? '' : `held: ${cutListed(event.held)}`,
            visible(event.note ?? ''),
          ]
            .filter((note) => note !== '')
            .join('; '),
        ],
}
