/** Archive events as rows of aligned tables: plans, stored columns, partitions in the ledger, and findings. */
import type { ArchiveColumnsEvent, ArchivePlanEvent } from '../model/archive/events.ts'
import { archivedByText } from '../model/archive/partitioning-text.ts'
import { surplusText } from '../model/archive/surplus-text.ts'
import { cutListed } from './copy-listings.ts'
import { sizeText, durationText, grouped, plural, timeText } from '../shared/figures.ts'
import { listing } from './listing.ts'
import { visible } from '../shared/visible.ts'
import { tableWriter } from './text-table.ts'
import { countCell, left, NONE, notesCell, right, sizeCell, textCell, timeCell, titled, versionCell } from './column.ts'
import type { ListColumn } from './column.ts'

/** One partition of a plan. */
export const ARCHIVE_PLAN: readonly ListColumn<ArchivePlanEvent>[] = [
  left('TABLE', (event) => visible(event.table)),
  left('PARTITION', (event) => visible(event.partition)),
  left('PLAN', (event) => event.status),
  left('STATE', (event) => event.state ?? NONE),
  left('FROM', (event) => textCell(event.from)),
  left('TO', (event) => textCell(event.to)),
  right('ROWS', (event) => `${event.estimated ? '~' : ''}${grouped(event.rows)}`),
  right('SIZE', (event) => (event.bytes === '0' ? NONE : sizeText(event.bytes))),
  right('EST. TIME', (event) => (event.estimatedMs === undefined ? NONE : durationText(event.estimatedMs))),
  left('NOTE', (event) => visible(event.note ?? '')),
]

/** The stored types of the columns of a table, after a line with the archive. */
export function storedColumnsText(event: ArchiveColumnsEvent): string {
  const { table, archive, partitionColumn, columns, foreign, notLooked: notInspected = [] } = event
  let lines = `${visible(table)} -> ${visible(archive)}: ${visible(archivedByText(event))} in ${visible(partitionColumn)}, ${plural(columns.length, 'column')}\n`
  if (foreign !== undefined) lines += `a run would refuse this archive: ${visible(foreign)}\n`
  for (const what of notInspected) lines += `not inspected: ${visible(what)}\n`
  const rows = tableWriter(titled('COLUMN', 'SOURCE TYPE', 'STORED AS', 'NOTE'), (more) => {
    lines += more
  })
  for (const { column, source, stored, note = '' } of columns) {
    rows.row([visible(column), visible(source), stored, visible(note)])
  }
  rows.end()
  return lines
}

/** Partitions in the ledger. */
export const ARCHIVED = listing('archived', [
  left('TABLE', (event) => visible(event.table)),
  left('PARTITION', (event) => visible(event.partition)),
  left('STATE', (event) => event.state),
  left('FROM', (event) => textCell(event.from)),
  left('TO', (event) => textCell(event.to)),
  right('ROWS', (event) => countCell(event.rows)),
  right('FILES', (event) => countCell(event.files)),
  right('SIZE', (event) => sizeCell(event.bytes)),
  right('SOURCE SIZE', (event) => sizeCell(event.sourceBytes)),
  right('IN TABLE', (event) => countCell(event.counted)),
  right('VERSION', (event) => versionCell(event.version)),
  left('CHANGED', (event) => timeCell(event.changedAt)),
  left('DROP FROM', (event) => timeCell(event.dropAfter)),
  left('ARCHIVE', (event) => visible(event.archive)),
  left('NOTES', (event) =>
    notesCell(
      event.held === undefined ? '' : `held: ${cutListed(event.held)}`,
      event.expiredAt === undefined ? '' : `expired by ${visible(event.expiredBy ?? '')}`,
      event.until === undefined ? '' : `can be restored until ${timeText(event.until)}`,
      event.destroyedAt === undefined ? '' : `files destroyed ${timeText(event.destroyedAt)}`,
      event.surplus === undefined ? '' : surplusText(BigInt(event.surplus)),
      event.foreign === undefined ? '' : 'a run would refuse this archive',
      ...(event.notLooked ?? []).map((what) => `not inspected: ${cutListed(what)}`),
      cutListed(event.error ?? ''),
    ),
  ),
])

/** Differences between an archive and its proof, and unreferenced files. */
export const ARCHIVE_FINDINGS = listing('archive.finding', [
  left('TABLE', (event) => visible(event.table)),
  left('PARTITION', (event) => textCell(event.partition)),
  left('FINDING', (event) => event.finding),
  left('PATH', (event) => textCell(event.path)),
  right('SIZE', (event) => sizeCell(event.bytes)),
  left('DETAIL', (event) => visible(event.detail)),
])

/** Rows that an erasure finds and removes. */
export const ERASURES = listing('archive.erasure', [
  left('TABLE', (event) => visible(event.table)),
  left('PARTITION', (event) => textCell(event.partition)),
  left('STATE', (event) => event.state ?? NONE),
  right('IN FILES', (event) => grouped(event.archived)),
  right('IN DATABASE', (event) => grouped(event.source)),
  right('FILES', (event) => grouped(event.files)),
  left('NOTE', (event) =>
    notesCell(
      event.step === 'erased' ? 'erased' : '',
      event.held === undefined ? '' : `held: ${cutListed(event.held)}`,
    ),
  ),
])

/** Partitions that are removed from an archive permanently. */
export const EXPIRIES = listing('archive.expiry', [
  left('TABLE', (event) => visible(event.table)),
  left('PARTITION', (event) => visible(event.partition)),
  left('STATE', (event) => event.state),
  left('FROM', (event) => textCell(event.from)),
  left('TO', (event) => textCell(event.to)),
  right('ROWS', (event) => countCell(event.rows)),
  right('FILES', (event) => grouped(event.files)),
  right('SIZE', (event) => sizeText(event.bytes)),
  left('RESTORABLE UNTIL', (event) => timeCell(event.until)),
  left('NOTE', (event) =>
    notesCell(
      event.step === 'due' ? 'due' : event.step === 'expired' ? 'expired' : 'kept',
      event.held === undefined ? '' : `held: ${cutListed(event.held)}`,
      visible(event.note ?? ''),
    ),
  ),
])
