/** Partitions of a table as a time line: a bar for the rows of each, past and future. */
import type { ArchivedEvent } from '../../../model/archive/events.ts'
import type { PartitionedEvent, PartitionEvent, PartitionState } from '../../../model/partition/events.ts'
import { bar } from '../../draw/bars.ts'
import { bytes, shownCount, amount } from '../../../render/screen-format.ts'
import { line, span, type Line, type Picture, type Tone } from '../../draw/line.ts'
import { clean, cutEnd, padEnd, wrap } from '../../../render/screen-text.ts'
import { marksOf } from '../../draw/theme.ts'
import type { TimelineShown } from './timeline-shown.ts'

const PERIOD = 14
const STATE = 10
const ROWS = 15
const SIZE = 10
const DAY = 12
const LEAST_BAR = 6
const MOST_BAR = 40
const BEFORE_NOW = 8

const TONES: Readonly<Partial<Record<PartitionState, Tone>>> = {
  current: 'strong',
  future: 'muted',
  archived: 'muted',
  due: 'warn',
  held: 'info',
  missing: 'bad',
}

/** The time line in lines of `cells` cells. */
export function drawTimeline(shown: TimelineShown, cells: number, ascii: boolean): Picture {
  const { table, partitions, alarms, error } = shown
  if (error !== null) return ['partitions', line(cutEnd(clean(`${error.code} ${error.message}`), cells), 'bad')]
  if (table === null) return ['partitions', line('reading partitions …', 'muted')]
  // If space is short, the FROM column is dropped.
  const day = cells - PERIOD - STATE - ROWS - SIZE - DAY - 2 >= LEAST_BAR ? DAY : 0
  const wide = Math.max(LEAST_BAR, Math.min(MOST_BAR, cells - PERIOD - STATE - ROWS - SIZE - day - 2))
  const top = Math.max(1, ...partitions.map(({ rows }) => Number(rows ?? 0)))
  const heading = `${padEnd('PERIOD', PERIOD)}${padEnd('STATE', STATE)}${'ROWS'.padStart(ROWS)}${'SIZE'.padStart(SIZE)}${day === 0 ? '' : '  FROM'.padEnd(day)}`
  return [
    `partitions by ${clean(table.by)}${alarms.length === 0 ? '' : ` · ${amount(alarms.length, 'alarm')}`}`,
    ...wrap(clean(`${table.calendar ?? 'no calendar'}; ${coverText(table)}`), cells).map((text) => line(text)),
    // Alarms are shown before the partitions, of which there may be hundreds.
    ...alarms.flatMap(({ alarm, detail, rows }) =>
      wrap(
        clean(
          `${marksOf(ascii).bad} ${alarm}: ${rows === undefined ? '' : `${amount(Number(rows), 'row')}: `}${detail}`,
        ),
        cells,
      ).map((text) => line(text, 'bad')),
    ),
    ...(alarms.length === 0 ? [] : [[]]),
    line(heading, 'muted'),
    ...shown.expired.map((one) => expiredRow(one, day)),
    ...partitions.map((one) => row(one, { top, wide, day, ascii })),
  ]
}

/**
 * Number of lines, counted from the last one, that show the current period, all later ones and a few before. Null:
 * start at the top.
 */
export function linesFromNow({ partitions, alarms }: TimelineShown): number | null {
  const now = partitions.findIndex(({ state }) => state === 'current' || state === 'future' || state === 'missing')
  // With an alarm, start at the top, where it is shown.
  return now === -1 || alarms.length > 0 ? null : Math.min(partitions.length, partitions.length - now + BEFORE_NOW)
}

type Drawn = { readonly top: number; readonly wide: number; readonly day: number; readonly ascii: boolean }

function row(one: PartitionEvent, { top, wide, day, ascii }: Drawn): Line {
  const { label, partition, state, rows, estimated, bytes: size, from } = one
  const tone = TONES[state] ?? 'plain'
  const counted = rows === undefined ? '' : `${estimated && rows !== '0' ? '~' : ''}${shownCount(Number(rows))}`
  return [
    span(padEnd(cutEnd(clean(label ?? (state === 'default' ? 'default' : partition)), PERIOD - 1), PERIOD), tone),
    span(padEnd(state, STATE), tone),
    span(counted.padStart(ROWS) + (size === undefined ? '' : bytes(Number(size))).padStart(SIZE), tone),
    ...(day === 0 ? [] : [span(padEnd(`  ${clean(from ?? '').slice(0, 10)}`, day), 'muted')]),
    span('  '),
    span(padEnd(bar(Number(rows ?? 0) / top, wide, ascii), wide), state === 'archived' ? 'muted' : 'info'),
  ]
}

/** Row of an expired period, of which only the certificate is left. */
function expiredRow({ partition, rows, from }: ArchivedEvent, day: number): Line {
  return [
    span(padEnd(cutEnd(clean(partition), PERIOD - 1), PERIOD), 'muted'),
    span(padEnd('expired', STATE), 'muted'),
    span((rows === undefined ? '' : shownCount(Number(rows))).padStart(ROWS) + ''.padStart(SIZE), 'muted'),
    ...(day === 0 ? [] : [span(padEnd(`  ${clean(from ?? '').slice(0, 10)}`, day), 'muted')]),
  ]
}

const coverText = ({ coveredTo, isOpen = false }: PartitionedEvent): string =>
  isOpen
    ? 'the last partition has no end'
    : coveredTo === undefined
      ? 'no partition for new rows'
      : `partitions exist up to ${coveredTo}`
