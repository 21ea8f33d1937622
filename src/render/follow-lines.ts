/** A stream of changes as lines: its start, live tables, and its lag. */
import { rowKeyText } from '../model/copy/row-key.ts'
import type { Event, EventOf } from '../model/run/event.ts'
import { visible } from '../shared/visible.ts'
import type { Block, SubjectColumn, MakeBlock } from './block.ts'
import { sizeText, durationText, grouped, plural } from '../shared/figures.ts'

/** Intervals of progress reports of a stream, ms: short in its first minute, then longer. */
const FIRST_MS = 10_000
const LATER_MS = 60_000
/** Number of differing rows that are listed for each table of a comparison; further ones are only counted. */
const NAMED = 10

export class FollowLines {
  readonly #subjects: SubjectColumn
  reportedAt: number | null = null
  #begunAt: number | null = null
  #follows = false
  /** Differing rows of the current comparison, by table. */
  readonly #differing = new Map<string, number>()

  constructor(subjects: SubjectColumn) {
    this.#subjects = subjects
  }

  /** Blocks of an event of any kind; empty for events of other operations. */
  event(event: Event, at: number, block: MakeBlock): readonly Block[] {
    switch (event.type) {
      case 'follow.started':
        this.#follows = true
        return [block('note', startedText(event))]
      case 'follow.table':
        return [
          block(event.state === 'live' ? 'ok' : 'at', this.#subjects.pad(event.table) + tableText(event), {
            table: event.table,
          }),
        ]
      case 'follow.progress':
        return this.#progress(event, at, block)
      case 'difference':
        return this.#difference(event, block)
      case 'follow.proved':
        this.#differing.delete(event.table)
        return [
          block(
            event.differing === '0' && event.unread === '0' ? 'proved' : 'DIFFERS',
            this.#subjects.pad(event.table) + provedText(event),
            {
              table: event.table,
            },
          ),
        ]
      case 'follow.row':
        return [block('ok', this.#subjects.pad(event.table) + rowText(event))]
      case 'follow.signed':
        return [signed(event, block)]
      case 'alert':
        return [
          block(
            event.state === 'raised' ? 'ALARM' : 'ok',
            `${event.table === undefined ? '' : this.#subjects.pad(event.table)}${event.cause} ${event.state}: ${visible(event.value)}${event.limit === undefined ? '' : ` (limit ${event.limit})`}`,
            {
              ...(event.table === undefined ? {} : { table: event.table }),
              ...(event.state === 'raised' ? { code: event.cause, problem: true } : {}),
            },
          ),
        ]
      case 'follow.halted':
        return [
          block('FAILED', `halted: ${event.message}`, {
            code: event.code,
            problem: true,
            details: [
              ['tables', event.tables.length === 0 ? 'all of the stream' : event.tables.join(', ')],
              ['since', event.since],
            ],
          }),
        ]
      default:
        return []
    }
  }

  /** A run that follows may take weeks, so differences are reported immediately. */
  #difference({ table, key, difference, columns = [] }: EventOf<'difference'>, block: MakeBlock): readonly Block[] {
    if (!this.#follows) return []
    const found = (this.#differing.get(table) ?? 0) + 1
    this.#differing.set(table, found)
    if (found === NAMED + 1)
      return [
        block('note', `${this.#subjects.pad(table)}more rows differ: they are counted, and JSON names 100 of them`),
      ]
    if (found > NAMED) return []
    const what = columns.length === 0 ? '' : `: ${columns.map(({ column }) => column).join(', ')}`
    const text = `${this.#subjects.pad(table)}${rowKeyText(key)} ${difference}${what}`
    return [block('DIFFERS', text, { table, code: 'DIFFERENCES', problem: true })]
  }

  #progress(event: EventOf<'follow.progress'>, at: number, block: MakeBlock): readonly Block[] {
    this.#begunAt ??= at
    const every = at - this.#begunAt > LATER_MS ? LATER_MS : FIRST_MS
    if (this.reportedAt !== null && at - this.reportedAt < every) return []
    this.reportedAt = at
    return [block('at', streamProgressText(event))]
  }
}

function signed(
  { verdict, by, position, tables, rows, id, reasons }: EventOf<'follow.signed'>,
  block: MakeBlock,
): Block {
  const what = `sign-off ${verdict} by ${by}: ${plural(tables, 'table')}, ${plural(rows, 'row')}${position === undefined ? '' : ` as of ${position}`}`
  if (verdict === 'given') return block('proved', what, { details: [['id', id]] })
  return block('refused', what, {
    problem: true,
    details: [...reasons.map((one) => ['why', one] as const), ['id', id]],
  })
}

function startedText({ stream, slot, position, tables, isNew, cdc }: EventOf<'follow.started'>): string {
  const what = plural(Number(tables), 'table')
  const made =
    cdc === 'trigger'
      ? `triggers and logs ${slot} for their notes are created`
      : `slot and publication ${slot} are created`
  return isNew
    ? `following ${what} from ${position} on: ${made}`
    : `stream ${stream} resumes at ${position} with ${what}, ${cdc === 'trigger' ? 'triggers and logs' : 'slot'} ${slot}`
}

function tableText({ state, position, reread, mended: repaired }: EventOf<'follow.table'>): string {
  if (state === 'live' && reread !== undefined)
    return `${plural(reread, 'row')} read again as of ${position}: ${repaired === '0' ? 'none differed' : `${plural(repaired ?? '0', 'row')} repaired`}`
  if (state === 'live') return `live at ${position}: all changes of the source up to that position are applied`
  if (repaired !== undefined) return `${plural(repaired, 'row')} repaired; catches up again to ${position}`
  if (reread !== undefined)
    return `catches up again to ${position}: ${plural(reread, 'row')} read again, because the stream does not report all of their values`
  return state === 'copying' ? 'is copied' : `copied; catches up to ${position}`
}

const ROW_OUTCOMES = {
  mended: 'repaired',
  removed: 'removed: the source has no such row',
  equal: 'equal when the stream read it',
} as const

function rowText({ key, outcome, position }: EventOf<'follow.row'>): string {
  return `${rowKeyText(key)}: ${ROW_OUTCOMES[outcome]}, as of ${position}`
}

function provedText({
  position,
  rows,
  targetRows,
  differing,
  unread,
  pauseMs,
  ms,
  elsewhere = '0',
}: EventOf<'follow.proved'>): string {
  const shared = elsewhere === '0' ? '' : ` (${plural(elsewhere, 'range')} by other workers)`
  const took = `compared in ${durationText(ms)}${shared}, changes waited for ${pauseMs} ms`
  if (differing === '0' && unread === '0') return `${plural(rows, 'row')} equal as of ${position}; ${took}`
  const open = unread === '0' ? '' : `, ${plural(unread, 'row')} cannot be read`
  const sides = `${grouped(rows)} in the source, ${grouped(targetRows)} in the target`
  return `${plural(differing, 'row')} ${differing === '1' ? 'differs' : 'differ'} as of ${position} (${sides})${open}; ${took}`
}

/** Progress of a stream, for the lines of a run and for its screen. */
export function streamProgressText(event: EventOf<'follow.progress'>): string {
  const { lagBytes, waiting, lagMs, lagIs, rate, changes, heldBytes, safeBytes, remainingMs, position } = event
  const behind = waiting === undefined ? sizeText(lagBytes) : plural(waiting, 'note')
  const lag =
    lagMs === 0 && (waiting ?? lagBytes) === '0'
      ? 'no lag'
      : `lag ${lagIs === undefined ? '' : `${lagIs} `}${durationText(lagMs)}, ${behind}`
  const left = remainingMs === undefined ? '' : `, ${durationText(remainingMs)} to catch up`
  const room = safeBytes === undefined ? '' : ` of ${sizeText(String(BigInt(heldBytes) + BigInt(safeBytes)))}`
  return `${position}  ${lag}${left}, ${grouped(rate)} changes/s, ${grouped(changes)} changes in all, the source holds ${sizeText(heldBytes)}${room}`
}
