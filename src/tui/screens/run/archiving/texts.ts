/** Details of one partition, also for the clipboard. */
import { archivedByText } from '../../../../model/archive/partitioning-text.ts'
import { bytes, amount, seconds } from '../../../../render/screen-format.ts'
import type { ArchivePartition, PartitionStatus } from '../../../run/archiving/archive-partition.ts'
import type { ArchiveProgress } from '../../../run/archiving/archive-progress.ts'
import { shownSizes } from '../../../run/archiving/outcome.ts'

type Fact = readonly [label: string, text: string]

/** Mark of each status. */
export const MARKED: Readonly<Record<PartitionStatus, string>> = {
  waits: 'pending',
  running: 'running',
  done: 'ok',
  failed: 'failed',
  blocked: 'refused',
  held: 'paused',
}

/** Labelled facts, the most urgent first. */
export function partitionFacts(partition: ArchivePartition, archiving: ArchiveProgress): readonly Fact[] {
  const { plan, error, state, files, version, dropAfter, ms } = partition
  const stored = archiving.archiveOf(partition.table)
  const about = partition.rows === null && plan?.estimated === true ? 'about ' : ''
  const holds = [
    boundsText(plan?.from, plan?.to),
    partition.size > 0 ? `${about}${amount(partition.size, 'row')}` : '',
    partition.sourceBytes === null && plan !== null && plan.bytes !== '0' ? bytes(Number(plan.bytes)) : '',
  ]
  const archived = [
    stored?.archive ?? '',
    version === null ? '' : `v${version}`,
    files === null ? '' : amount(files, 'file'),
    shownSizes(partition.sourceBytes ?? 0, partition.bytes ?? 0),
  ]
  const facts: Fact[] = [
    ['failed', error === null ? '' : `${error.code} ${error.message}`],
    ['where', error?.where ?? ''],
    ['cause', error?.reason ?? ''],
    ['do', error?.hint ?? ''],
    ['note', plan?.note ?? ''],
    ['holds', joined(holds)],
    ['archive', joined(archived)],
    ['drop', dropAfter === null ? '' : `not before ${dropAfter.replace('T', ' ').replace(/(?:\.\d+)?Z$/, '')} UTC`],
    ['state', joined([state ?? '', ms > 0 ? `${seconds(ms)} in this run` : ''])],
  ]
  return facts.filter(([, text]) => text !== '')
}

/** Details of a partition as lines for a dialog. */
export function partitionLines(partition: ArchivePartition, archiving: ArchiveProgress): readonly string[] {
  const stored = archiving.archiveOf(partition.table)
  const odd = (stored?.columns ?? []).filter(({ note }) => note !== undefined)
  return [
    `table        ${partition.table}`,
    `partition    ${partition.name}`,
    ...partitionFacts(partition, archiving).map(([label, text]) => `${label.padEnd(12)} ${text}`),
    ...(stored === null
      ? []
      : [
          `${stored.byValue === undefined ? 'calendar     ' : 'cut          '}${archivedByText(stored)}, in ${stored.partitionColumn}`,
        ]),
    ...odd.map(({ column, source, stored: as, note = '' }) => `column       ${column}: ${source} → ${as}, ${note}`),
  ]
}

const joined = (parts: readonly string[]): string => parts.filter((part) => part !== '').join(' · ')

function boundsText(from: string | undefined, to: string | undefined): string {
  if (from === undefined && to === undefined) return ''
  return [from === undefined ? '' : `from ${from}`, to === undefined ? '' : `before ${to}`].join(' ').trim()
}
