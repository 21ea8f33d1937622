/** Partitions of live tables as lines: what was created, how long sessions may have waited, and alarms. */
import type { Event, EventBody, EventOf } from '../model/run/event.ts'
import type { Block, SubjectColumn, MakeBlock } from './block.ts'
import { sizeText, durationText, grouped, measureText, plural } from '../shared/figures.ts'
import { visible } from '../shared/visible.ts'

type RunFinished = Extract<EventBody, { type: 'run.finished' }>

/** How often the progress of moving rows is reported, ms. */
const REPORT_EVERY_MS = 10_000

const STEPS: Readonly<Record<EventOf<'partition.progress'>['step'], string>> = {
  making: 'making partitions',
  logging: 'changes of the default partition are recorded',
  copying: 'its rows are copied to another table',
  following: 'changes during the copy are copied',
  switching: 'the new partitions take its place',
}

export class PartitionLines {
  readonly #subjects: SubjectColumn
  reportedAt: number | null = null
  #step: string | null = null

  constructor(subjects: SubjectColumn) {
    this.#subjects = subjects
  }

  /** Blocks of an event of any kind; empty for events of other operations. */
  event(event: Event, at: number, block: MakeBlock): readonly Block[] {
    switch (event.type) {
      case 'partition.table':
        return [block('note', this.#subjects.pad(event.table) + tableText(event), { table: event.table })]
      case 'partition.made':
        return [
          block(event.status === 'planned' ? 'plan' : 'ok', this.#subjects.pad(event.table) + madeText(event), {
            table: event.table,
          }),
        ]
      case 'partition.progress':
        return this.#progress(event, at, block)
      case 'partition.waits':
        return [block('note', this.#subjects.pad(event.table) + waitsText(event), { table: event.table })]
      case 'partition.landed':
        return [block('proved', this.#subjects.pad(event.partition) + copiedPeriodText(event), { table: event.table })]
      case 'partition.pace':
        return [block('at', this.#subjects.pad(event.partition) + paceText(event), { table: event.table })]
      case 'partition.alarm':
        return [this.#alarm(event, block)]
      default:
        return []
    }
  }

  #progress(
    { table, step, rows, total }: EventOf<'partition.progress'>,
    at: number,
    block: MakeBlock,
  ): readonly Block[] {
    const isNew = this.#step !== `${table} ${step}`
    this.#step = `${table} ${step}`
    if (step === 'making' || (!isNew && at - (this.reportedAt ?? at) < REPORT_EVERY_MS)) return []
    this.reportedAt = at
    const count =
      rows === '0' && total === undefined
        ? ''
        : `: ${grouped(rows)}${total === undefined ? '' : ` of about ${grouped(total)}`} rows`
    return [block('at', `${this.#subjects.pad(table)}${STEPS[step]}${count}`, { table })]
  }

  #alarm(event: EventOf<'partition.alarm'>, block: MakeBlock): Block {
    const { table, alarm, hint } = event
    return block('ALARM', `${this.#subjects.pad(table)}${alarm}: ${alarmText(event)}`, {
      table,
      code: alarm,
      problem: true,
      details: hint === undefined ? [] : [['do', hint]],
    })
  }
}

/** The text after the name of the alarm. */
export function alarmText({ partition, from, to, rows, detail }: EventOf<'partition.alarm'>): string {
  const span =
    from === undefined
      ? to === undefined
        ? ''
        : ` (up to ${to})`
      : to === undefined
        ? ` (from ${from} on)`
        : ` (${from} to ${to})`
  return `${[
    ...(rows === undefined ? [] : [`${plural(rows, 'row')}:`]),
    ...(partition === undefined ? [] : [visible(partition)]),
    visible(detail),
  ].join(' ')}${span}`
}

/**
 * The result of an operation on partitions, in one sentence.
 * @returns null for other commands, and if nothing is counted
 */
export function partitionOutcomeText({ totals, ms, status }: RunFinished, command: string): string | null {
  // A run that copies rows is reported as a copy.
  if (!command.startsWith('partition-') || command === 'partition-run' || totals['tables'] === undefined) return null
  const { tables, passedOver = '0', failed = '0', partitions, bytes, made, found = '0', moved = '0', planned } = totals
  const { alarms = '0' } = totals
  // Print `no alarm` only if a table was checked, none failed, and the run was not stopped.
  const inspected = failed === '0' && tables !== '0' && status !== 'stopped'
  const parts = [
    plural(tables, 'table'),
    ...(passedOver === '0' ? [] : [`${grouped(passedOver)} skipped`]),
    ...(partitions === undefined ? [] : [plural(partitions, 'partition')]),
    ...(bytes === undefined || bytes === '0' ? [] : [sizeText(bytes)]),
    ...(made === undefined ? [] : [`${plural(made, 'partition')} created`]),
    ...(planned === undefined ? [] : [`${plural(planned, 'partition')} would be created; nothing was changed`]),
    ...(found === '0' ? [] : [`${grouped(found)} created by other programs meanwhile`]),
    ...(moved === '0' ? [] : [`${plural(moved, 'row')} moved`]),
    ...(failed === '0' ? [] : [`${grouped(failed)} failed`]),
    ...(alarms !== '0' ? [plural(alarms, 'alarm')] : inspected ? ['no alarm'] : []),
  ]
  return `${parts.join(', ')} in ${durationText(ms)}`
}

function tableText({
  by,
  calendar,
  calendarFrom,
  partitions,
  coveredTo,
  isOpen = false,
  hasDefault,
  keptBy,
}: EventOf<'partition.table'>): string {
  return [
    `${plural(partitions, 'partition')} by ${visible(by)}${hasDefault ? ', one of them the default' : ''}`,
    calendar === undefined ? 'without a calendar' : `${calendar}, by ${calendarFrom ?? 'the options'}`,
    isOpen
      ? 'its last partition has no end'
      : coveredTo === undefined
        ? 'the current period has no partition'
        : `exist up to ${coveredTo}`,
    ...(keptBy === undefined ? [] : [`maintained by ${visible(keptBy)}`]),
  ].join('; ')
}

function madeText({ partition, label, from, to, status, moved }: EventOf<'partition.made'>): string {
  const what = { planned: 'would be created', made: 'created', found: 'was created by another program meanwhile' }[
    status
  ]
  const rows = moved === undefined ? '' : `; ${plural(moved, 'row')} moved into it`
  return `${visible(partition)} ${what}: ${label}, ${from} to ${to}${rows}`
}

/** `Q2-FY25: 39,312 rows in 2 chunks, count and checksum of each equal, in 1.2 s`. */
function copiedPeriodText({ label, slice, rows, chunks, proof, ms, earlier }: EventOf<'partition.landed'>): string {
  const name = [label, slice].filter((one) => one !== undefined).join(' ')
  const what = proof === 'chunk' ? 'count and checksum' : 'count'
  const when = earlier === true ? ', by an earlier run' : ms === undefined ? '' : `, in ${durationText(ms)}`
  return `${name === '' ? '' : `${visible(name)}: `}${plural(rows, 'row')} in ${plural(chunks, 'chunk')}, ${what} of each equal${when}`
}

function paceText({ rows, total, bytesPerHour, neededPerHour, leftMs }: EventOf<'partition.pace'>): string {
  const parts = [`${grouped(rows)} of about ${grouped(total)} rows`, `${sizeText(bytesPerHour)} an hour`]
  if (neededPerHour !== undefined && leftMs !== undefined) {
    const short = BigInt(bytesPerHour) < BigInt(neededPerHour)
    parts.push(
      `${sizeText(neededPerHour)} an hour needed to finish in the remaining ${durationText(leftMs)} of the window${short ? ': too slow' : ''}`,
    )
  }
  return parts.join('  ')
}

function waitsText({ longestMs, tries, proved }: EventOf<'partition.waits'>): string {
  const again =
    tries === 0
      ? ''
      : `; sluice released its locks ${plural(tries, 'time')} because other sessions held locks that it needed`
  const rows =
    proved === undefined
      ? ''
      : `; ${plural(proved, 'row')} ${proved === '1' ? 'was' : 'were'} equal before the new tables took their place`
  return `other sessions waited at most ${measureText(longestMs)} for locks of sluice${again}${rows}`
}
