/**
 * Output of `partition plan`: findings as an aligned table, measurements, estimated times, and statements.
 * The printed statements can be run unchanged.
 */
import type { Event, EventBody, EventOf } from '../model/run/event.ts'
import { sizeText, durationText, grouped, plural } from '../shared/figures.ts'
import { visible } from '../shared/visible.ts'
import { cellsOf, left, NONE, right, titled, type ListColumn, type TableColumn } from './column.ts'
import { tableWriter, type TableWriter } from './text-table.ts'

type RunFinished = Extract<EventBody, { type: 'run.finished' }>

const FINDINGS = titled('VERDICT', 'ABOUT', 'OBJECT', 'WHAT HAPPENS, OR WHY NOT')
const FORECAST: readonly ListColumn<EventOf<'partition.forecast'>>[] = [
  left('PARTITION', (event) => visible(event.label)),
  left('SLICE', (event) => visible(event.slice ?? '')),
  left('FROM', (event) => event.from),
  left('TO', (event) => event.to),
  right(
    'ROWS',
    ({ rows, estimated, off = '0' }) =>
      `${estimated ? '~' : ''}${grouped(rows)}${off === '0' ? '' : ` ±${grouped(off)}`}`,
  ),
  right('SIZE', (event) => sizeText(event.bytes)),
  right('AT LEAST', ({ ms }) => (ms === undefined ? NONE : durationText(ms))),
  left('WINDOW', ({ fits }) => (fits === undefined ? NONE : fits ? 'fits' : 'too long')),
]

export class PartitionPlanText {
  readonly #write: (text: string) => void
  #part: string | null = null
  #table: TableWriter | null = null

  constructor(write: (text: string) => void) {
    this.#write = write
  }

  /** @returns true if the event belongs to a plan and is printed */
  event(event: Event): boolean {
    switch (event.type) {
      case 'partition.finding':
        for (const row of findingRows(event)) this.#in('findings', FINDINGS).row(row)
        return true
      case 'partition.rate':
        this.end()
        this.#write(`\n${rateText(event)}\n`)
        this.#part = 'rate'
        return true
      case 'partition.forecast':
        this.#in('forecast', FORECAST).row(cellsOf(FORECAST, event))
        return true
      case 'partition.sql':
        if (this.#part !== 'sql') this.end()
        if (this.#part !== null && this.#part !== 'sql') this.#write('\n')
        this.#part = 'sql'
        this.#write(`${event.sql};\n`)
        return true
      default:
        return false
    }
  }

  /** Writes the buffered lines. */
  end(): void {
    this.#table?.end()
    this.#table = null
  }

  #in(part: string, columns: readonly TableColumn[]): TableWriter {
    if (this.#table !== null && this.#part === part) return this.#table
    this.end()
    if (this.#part !== null) this.#write('\n')
    this.#part = part
    this.#table = tableWriter(columns, this.#write)
    return this.#table
  }
}

/** The result of a plan, in one sentence; null for other commands. */
export function partitionPlanText({ totals, ms }: RunFinished, command: string): string | null {
  const { findings, refused = '0', partitions = '0', rows = '0', bytes = '0' } = totals
  if (command !== 'partition-plan' || findings === undefined) return null
  const parts = [
    `${grouped(refused)} of ${plural(findings, 'finding')} refused`,
    `${plural(partitions, 'partition')} for ${plural(rows, 'row')}, ${sizeText(bytes)}`,
    'nothing was changed',
  ]
  return `${parts.join('; ')}, in ${durationText(ms)}`
}

function findingRows({
  verdict,
  about,
  object,
  detail,
  hint,
}: EventOf<'partition.finding'>): readonly (readonly string[])[] {
  const row = [verdict, visible(about), visible(object ?? ''), visible(detail)]
  return hint === undefined ? [row] : [row, ['', '', '', `do: ${visible(hint)}`]]
}

function rateText({
  rows,
  bytes,
  ms,
  bytesPerHour,
  lanes,
  written,
  neededPerHour,
  partitionPerHour,
  windowMs,
}: EventOf<'partition.rate'>): string {
  const what = `${plural(rows, 'row')}, ${sizeText(bytes)} ${written ? 'read and written' : 'read but not written'} in ${durationText(ms)} by ${plural(lanes, 'worker')}`
  const need =
    neededPerHour === undefined || windowMs === undefined
      ? ''
      : `; the largest partition needs ${sizeText(neededPerHour)} an hour for ${durationText(windowMs)}`
  const alone =
    partitionPerHour === undefined
      ? ''
      : `, ${sizeText(partitionPerHour)} of it for one partition, which one worker copies without --slices`
  return `measured: ${what}: ${sizeText(bytesPerHour)} an hour${alone}${need}`
}
