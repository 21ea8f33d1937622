/** Log lines of events. */
import { releasedText } from './chunk-lines.ts'
import { differenceText } from './difference-text.ts'
import { rowKeyText } from '../model/copy/row-key.ts'
import type { Event } from '../model/run/event.ts'
import { withoutPointer } from '../shared/pointed.ts'
import { bytes, countDec, msOf, numberOf, plural, seconds } from './screen-format.ts'
import { clean, takeStart } from './screen-text.ts'

export type LogEntry = {
  readonly ts: number
  readonly level: 'note' | 'warn' | 'error' | 'debug'
  readonly text: string
}

const LOG_CELLS = 500

/**
 * The log line of an event, or null. It is cut, so that one hostile message cannot fill the memory.
 * @param alone whether the run has one table only: then lines of a copy omit its name
 */
export function logEntry(event: Event, now: number, alone = false): LogEntry | null {
  const ts = msOf(event.ts) ?? now
  const entry = (level: LogEntry['level'], text: string): LogEntry => ({
    ts,
    level,
    text: takeStart(clean(withoutPointer(text)), LOG_CELLS),
  })
  switch (event.type) {
    case 'log':
      return entry(
        event.level,
        (event.table === undefined ? '' : `${event.table}: `) +
          event.message +
          (event.hint === undefined ? '' : ` · do: ${event.hint}`),
      )
    case 'run.started':
      return entry('note', `${event.command} started${event.resumes === undefined ? '' : `, resumes ${event.resumes}`}`)
    case 'plan.ready':
      return entry(
        'note',
        `plan ${event.hash}: ${plural(numberOf(event.tables), 'table')}, ${event.estimated ? 'about ' : ''}${countDec(event.total)} ${event.unit}s`,
      )
    case 'table.finished':
      if (event.error !== undefined) {
        const hint = event.error.hint === undefined ? '' : ` · do: ${event.error.hint}`
        return entry('error', `${alone ? '' : `${event.table}: `}${event.error.code} ${event.error.message}${hint}`)
      }
      return entry('note', `${alone ? '' : `${event.table}: `}${event.status}${resultText(event)}`)
    case 'follow.started':
      return entry(
        'note',
        `${event.isNew ? 'following' : 'going on'} from ${event.position}, stream ${event.stream}, slot ${event.slot}`,
      )
    case 'follow.table':
      return entry(
        'note',
        `${alone ? '' : `${event.table}: `}${event.state === 'live' ? 'live' : 'catches up'}${event.position === undefined ? '' : ` ${event.state === 'live' ? 'at' : 'to'} ${event.position}`}`,
      )
    case 'follow.proved': {
      const open = Number(event.differing) + Number(event.unread)
      const what =
        open === 0 ? 'equal' : `${countDec(event.differing)} differ, ${countDec(event.unread)} cannot be read`
      return entry(
        open === 0 ? 'note' : 'error',
        `${alone ? '' : `${event.table}: `}${countDec(event.rows)} rows compared as of ${event.position}: ${what}`,
      )
    }
    case 'follow.row':
      return entry(
        'note',
        `${alone ? '' : `${event.table}: `}row ${rowKeyText(event.key)} ${event.outcome} as of ${event.position}`,
      )
    case 'alert':
      return entry(
        event.state === 'raised' ? 'error' : 'note',
        `alert ${event.cause}${event.table === undefined || alone ? '' : ` of ${event.table}`} ${event.state}: ${event.value}${event.limit === undefined ? '' : `, limit ${event.limit}`}`,
      )
    case 'follow.halted':
      return entry('error', `halted: ${event.message}; changes since ${event.since} may be missing`)
    case 'copy.started': {
      const by = event.key.length === 0 ? 'without a key' : `by ${event.key.join(', ')}`
      const done =
        event.done.chunks === '0'
          ? ''
          : `; ${countDec(event.done.chunks)} of them are there from earlier runs (${plural(Number(event.done.rows), 'row')})`
      return entry(
        'note',
        `${alone ? '' : `${event.table}: `}${plural(Number(event.chunks), 'chunk')} of ${countDec(event.chunkRows)} rows ${by}${done}`,
      )
    }
    case 'partition.landed': {
      const name = [event.partition, event.label, event.slice].filter((part) => part !== undefined).join(' ')
      const how = event.proof === 'chunk' ? 'count and checksum equal' : 'count equal'
      return entry(
        'note',
        `${name}: ${plural(Number(event.rows), 'row')}, ${how}${event.earlier === true ? ', by an earlier run' : ''}`,
      )
    }
    case 'partition.pace': {
      const needed = event.neededPerHour === undefined ? '' : `, ${bytes(Number(event.neededPerHour))} needed`
      const slow = event.neededPerHour !== undefined && BigInt(event.bytesPerHour) < BigInt(event.neededPerHour)
      return entry(
        slow ? 'warn' : 'note',
        `${event.partition}: ${countDec(event.rows)} of about ${countDec(event.total)} rows, ${bytes(Number(event.bytesPerHour))} an hour${needed}`,
      )
    }
    case 'row.aside':
      return entry(
        'warn',
        `${chunkName(event, alone)}: row ${rowKeyText(event.key)} quarantined, ${event.error.code} ${event.error.message}`,
      )
    case 'rows.fallback':
      return entry(
        'warn',
        `${alone ? '' : `${event.table}: `}${plural(Number(event.rows), 'row')} written at ${event.level} only, to be checked again`,
      )
    case 'look.difference':
      return entry(
        event.accepted === true ? 'note' : 'error',
        `${event.chunk === undefined ? event.table : chunkName({ table: event.table, chunk: event.chunk }, alone)}: ${differenceText(event)}`,
      )
    case 'index.started':
      return entry('note', `${alone ? '' : `${event.table}: `}making ${event.kind} ${event.name}`)
    case 'index.done':
      return entry(
        'note',
        `${alone ? '' : `${event.table}: `}${event.kind} ${event.name} is made, in ${seconds(event.ms)}`,
      )
    case 'index.failed':
      return entry(
        'error',
        `${alone ? '' : `${event.table}: `}${event.kind} ${event.name}: ${event.error.code} ${event.error.message}`,
      )
    case 'table.steered':
      return entry('note', steeredText(event, alone))
    case 'chunk.released':
      return event.reason === 'stop'
        ? null
        : entry(event.reason === 'asked' ? 'note' : 'warn', releasedText(chunkName(event, alone), event.reason))
    case 'throttle.on':
      return entry('warn', `throttle on: ${event.reason}; ${countDec(event.rate)} rows/s from now on`)
    case 'throttle.off':
      return entry('note', 'throttle off: no server reports overload any more')
    case 'chunk.retried':
      return entry(
        'warn',
        `${/^\d+$/.test(event.chunk) ? chunkName(event, alone) : event.table}: ${event.error.code} ${event.error.message}, trying again in ${seconds(event.waitMs)}`,
      )
    case 'chunk.failed':
      return entry(
        'error',
        `${chunkName(event, alone)}: ${event.error.code} ${event.error.message}${event.error.hint === undefined ? '' : ` · do: ${event.error.hint}`}`,
      )
    case 'archive.planned':
      return event.status === 'blocked' ? entry('warn', `${event.partition} is blocked: ${event.note ?? ''}`) : null
    case 'archive.state':
      return archiveEntry(event, entry)
    case 'archive.erasure':
      return entry(
        'note',
        `${event.partition ?? event.table}: ${event.archived} rows in files, ${event.source} in the database ${event.step}`,
      )
    case 'archive.expiry':
      return entry(
        event.step === 'blocked' ? 'warn' : 'note',
        `${event.partition}: ${event.step}${event.until === undefined ? '' : `, can come back until ${event.until}`}${event.note === undefined ? '' : `, ${event.note}`}`,
      )
    case 'archive.destroyed':
      return entry('note', `${event.table}: destroyed ${event.path} ${event.sha256}`)
    case 'archive.finding':
      return entry(
        /^(?:stray|swept|outdated) file$/.test(event.finding) ? 'note' : 'error',
        `${event.partition ?? event.table}: ${event.finding} ${event.path ?? ''} ${event.detail}`,
      )
    case 'fsck.finding':
      return entry(
        event.level === 'finding' ? 'error' : 'note',
        `${event.table}: ${event.finding} ${event.path ?? ''} ${event.detail}`,
      )
    case 'fsck.checked':
      return entry('note', `${event.check}: ${event.looked} of ${event.of}, ${event.detail}`)
    case 'verify.check':
      return entry(
        event.equal ? 'note' : 'error',
        `${event.table} v${event.version} ${event.check}: ${event.equal ? [event.log, event.catalog].filter((side) => side !== '').join(' = ') : `${event.sides?.[0] ?? 'log'} ${event.log}, ${event.sides?.[1] ?? 'catalog'} ${event.catalog}`} (${event.witness})`,
      )
    case 'verify.mismatch':
      return entry(
        'error',
        `${event.table} v${event.version} ${event.check} ${event.path ?? ''} ${event.field}: ${event.sides?.[0] ?? 'log'} ${event.log}, ${event.sides?.[1] ?? 'catalog'} ${event.catalog}`,
      )
    case 'question':
      return entry(
        event.same ? 'note' : 'error',
        `${event.title}: ${event.same ? 'same answer' : (event.difference ?? 'answers differ')}, ${plural(Number(event.rows), 'row')}`,
      )
    case 'run.finished':
      return entry(
        event.status === 'ok' ? 'note' : event.status === 'stopped' ? 'warn' : 'error',
        `run ${event.status}, exit ${event.exitCode}, ${seconds(event.ms)}${event.error === undefined ? '' : ` · ${event.error.code} ${event.error.message}`}`,
      )
    default:
      return null
  }
}

/** Intermediate states are omitted, because the next state says more. */
function archiveEntry(
  event: Extract<Event, { type: 'archive.state' }>,
  entry: (level: LogEntry['level'], text: string) => LogEntry,
): LogEntry | null {
  const { partition, state, error, rows, version, ms } = event
  if (error !== undefined) {
    const hint = error.hint === undefined ? '' : ` · do: ${error.hint}`
    return entry('error', `${partition}: ${error.code} ${error.message}${hint}`)
  }
  if (state === 'PLANNED' || state === 'EXPORTING') return null
  const facts = [
    state === 'PUBLISHED' && version !== undefined ? `as v${version}` : '',
    rows === undefined || state === 'PUBLISHED' || state === 'DETACHING' || state === 'DETACHED'
      ? ''
      : plural(Number(rows), 'row'),
    seconds(ms),
  ]
  return entry('note', `${partition} ${state.toLowerCase()}, ${facts.filter((fact) => fact !== '').join(', ')}`)
}

function steeredText(event: Extract<Event, { type: 'table.steered' }>, alone: boolean): string {
  const { table, chunk, act } = event
  const what = chunk === undefined ? table : chunkName({ table, chunk }, alone)
  switch (act) {
    case 'pause':
      return `${what}: paused as asked, nothing of it begins`
    case 'resume':
      return `${what}: goes on as asked`
    case 'skip':
      return `${what}: left to another run as asked`
    case 'retry':
      return `${what}: what failed is tried again as asked`
  }
}

/** Chunks of a copy have numbers, those of an import the names of their versions. */
function chunkName({ table, chunk }: { readonly table: string; readonly chunk: string }, alone: boolean): string {
  if (!/^\d+$/.test(chunk)) return `${table} ${chunk}`
  return alone ? `chunk ${chunk}` : `${table} chunk ${chunk}`
}

function resultText({ version, copied, notes = [], ms }: Extract<Event, { type: 'table.finished' }>): string {
  if (copied === undefined) return `${version === undefined ? '' : ` v${version}`}, ${seconds(ms)}`
  const text = `, ${countDec(copied.proved)} of ${plural(Number(copied.chunks), 'chunk')}, ${plural(Number(copied.written), 'row')} written`
  return [text, ...notes].join(' · note: ')
}
