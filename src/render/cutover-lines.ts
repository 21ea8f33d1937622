/** A cutover as lines: its checks, objects bound to the old table, each step, and how long sessions waited. */
import type { Event, EventOf } from '../model/run/event.ts'
import type { Block, MakeBlock } from './block.ts'
import { durationText, plural } from '../shared/figures.ts'

const MARKS = { ok: 'ok', waiting: 'at', refused: 'refused' } as const

/** Blocks of an event of any kind; empty for events of other operations. */
export function cutoverLines(event: Event, block: MakeBlock): readonly Block[] {
  switch (event.type) {
    case 'cutover.gate':
      return [checkLine(event, block)]
    case 'cutover.finding':
      return [findingLine(event, block)]
    case 'cutover.step':
      return [block('note', event.detail)]
    case 'cutover.switched':
      return [switchedLine(event, block)]
    default:
      return []
  }
}

function checkLine({ name, state, detail, hint }: EventOf<'cutover.gate'>, block: MakeBlock): Block {
  const text = `gate ${name}: ${state === 'waiting' ? 'waits, ' : ''}${detail}`
  if (state !== 'refused') return block(MARKS[state], text)
  return block('refused', text, { problem: true, details: hint === undefined ? [] : [['do', hint]] })
}

const VERDICT_TEXTS = {
  refused: 'prevents the cutover',
  made: 'is recreated for the new table',
  left: 'stays with the old table',
  fine: 'needs nothing',
} as const

/** Findings about something other than an object of a table: only their detail is printed. */
const ONLY_REPORTED: ReadonlySet<string> = new Set([
  'lock',
  'old snapshots',
  'statistics',
  'event trigger',
  'subscription',
])

function findingLine({ verdict, about, object, detail, hint }: EventOf<'cutover.finding'>, block: MakeBlock): Block {
  const name = object === undefined ? about : `${about} ${about === 'lock' ? 'of ' : ''}${object}`
  const isReported = verdict === 'left' && ONLY_REPORTED.has(about)
  const text = `${isReported ? name : `${name} ${VERDICT_TEXTS[verdict]}`}: ${detail}`
  const details: Block['details'] = hint === undefined ? [] : [['do', hint]]
  return verdict === 'refused' ? block('refused', text, { problem: true, details }) : block('note', text, { details })
}

function switchedLine(event: EventOf<'cutover.switched'>, block: MakeBlock): Block {
  const { table, revert, pauseMs, waitedMs, tries, provedRows, touchedRows, wayBack } = event
  if (event.database !== undefined) return movedLine(event, block)
  const other = `${wayBack} ${revert ? 'goes forward again' : 'goes back'}`
  return block('proved', `the other table is now called ${table}; the earlier one is ${event.parked}`, {
    details: [
      ['waited', `${durationText(pauseMs)} at most, ${durationText(waitedMs)} in ${plural(tries, 'try', 'tries')}`],
      ['proof', `${plural(provedRows, 'row')} equal, ${touchedRows} compared again during the cutover`],
      ['reverse', `${replicationText(event.parked, event)}; ${other}`],
    ],
  })
}

function replicationText(table: string, { stream, position }: EventOf<'cutover.switched'>): string {
  return `stream ${stream} keeps ${table} equal from ${position} on, while it is followed; otherwise the server keeps its log for it`
}

/** Line for a cutover between two databases: the table keeps its name, and clients write to another database. */
function movedLine(event: EventOf<'cutover.switched'>, block: MakeBlock): Block {
  const { table, revert, pauseMs, waitedMs, tries, provedRows, touchedRows, wayBack } = event
  const goes = `${wayBack} ${revert ? 'goes forward again' : 'goes back'}`
  const other = event.refusedWhile === undefined ? goes : `${goes}, and is refused while ${event.refusedWhile}`
  return block(
    'proved',
    `${table} of ${event.database ?? ''} now takes the writes; ${event.parked} of ${event.closed ?? ''} is closed`,
    {
      details: [
        [
          'closed',
          `${event.isLeast === true ? `at least ${durationText(pauseMs)}` : `${durationText(pauseMs)} at most`} without a table to write to, ${durationText(waitedMs)} in ${plural(tries, 'try', 'tries')}`,
        ],
        ['proof', `${plural(provedRows, 'row')} equal, ${touchedRows} compared again as of the catch-up position`],
        ['reverse', `${replicationText(`${event.parked} of ${event.closed ?? ''}`, event)}; ${other}`],
      ],
    },
  )
}
