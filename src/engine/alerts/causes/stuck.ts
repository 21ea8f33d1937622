/** `stuck`: a chunk that somebody works on gets no further, however often it is tried. It ends with the chunk, and with the run. */
import { timeText } from '../../../model/verdict.ts'
import type { EventBody } from '../../../model/event.ts'
import type { CauseWatch, Verdict } from './cause.ts'

const MINUTE_MS = 60_000

const ENDS = { 'chunk.done': 'is done', 'chunk.failed': 'has failed', 'chunk.released': 'was given back' } as const

type Chunk = {
  readonly table: string
  readonly chunk: string
  /** How far it came in each step at best: what a retry does once more is no progress. */
  readonly most: Map<string, bigint>
  /** Since when it stands still. */
  since: number
  step: string
  attempts: number
  why: string
}

/** @param limit ms */
export function stuck(limit: number): CauseWatch {
  const open = new Map<string, Chunk>()
  let held: number | null = null
  const raised = new Set<string>()
  const over = (table: string, value: string): readonly Verdict[] =>
    raised.delete(table) ? [verdict(table, false, value, limit)] : []
  /** Unless another chunk of the table is stuck still. */
  const moved = (table: string, at: number, how: string): readonly Verdict[] =>
    [...open.values()].some((one) => one.table === table && at - one.since > limit) ? [] : over(table, how)
  return {
    take: (event, at) => {
      switch (event.type) {
        case 'chunk.started': {
          const key = keyOf(event)
          // Of a chunk that is begun anew within the run the time counts on.
          if (!open.has(key)) open.set(key, begun(event, at))
          return []
        }
        case 'chunk.progress': {
          const known = open.get(keyOf(event)) ?? begun(event, at)
          open.set(keyOf(event), known)
          if (!advanced(known, event)) return []
          known.since = at
          return moved(event.table, at, `chunk ${event.chunk} goes on`)
        }
        case 'chunk.retried': {
          const known = open.get(keyOf(event)) ?? begun(event, at)
          open.set(keyOf(event), known)
          known.attempts = event.attempt
          known.why = `: ${event.error.code}: ${event.error.message}`
          return []
        }
        case 'chunk.done':
        case 'chunk.failed':
        case 'chunk.released':
          open.delete(keyOf(event))
          return moved(event.table, at, `chunk ${event.chunk} ${ENDS[event.type]}`)
        case 'table.finished':
          for (const [key, { table }] of open) if (table === event.table) open.delete(key)
          return over(event.table, 'the table is finished')
        case 'run.steered':
          if (event.paused === undefined) return []
          if (event.paused) held ??= at
          else if (held !== null) {
            // While it is held nothing is expected of it.
            for (const chunk of open.values()) chunk.since = at
            held = null
          }
          return []
        case 'run.finished':
          return [...raised].flatMap((table) => over(table, 'the run has ended'))
        default:
          return []
      }
    },
    look: (at) => {
      if (held !== null) return []
      return [...open.values()].flatMap((one) => {
        if (at - one.since <= limit || raised.has(one.table)) return []
        raised.add(one.table)
        return [verdict(one.table, true, stuckText(one, at), limit)]
      })
    },
  }
}

function keyOf({ table, chunk }: { readonly table: string; readonly chunk: string }): string {
  return `${table}\0${chunk}`
}

function begun({ table, chunk }: { readonly table: string; readonly chunk: string }, at: number): Chunk {
  return { table, chunk, most: new Map(), since: at, step: '', attempts: 0, why: '' }
}

/** @returns whether it has come further than ever before */
function advanced(chunk: Chunk, event: Extract<EventBody, { type: 'chunk.progress' }>): boolean {
  const step: string = event.step ?? ''
  const now = BigInt(event.done)
  chunk.step = step
  if (now <= (chunk.most.get(step) ?? -1n)) return false
  chunk.most.set(step, now)
  return true
}

function stuckText({ chunk, since, step, attempts, why }: Chunk, at: number): string {
  const what = step === '' ? '' : ` while ${step}`
  const tries = attempts === 0 ? '' : `, tried ${attempts + 1} times`
  return `chunk ${chunk} gets no further for ${spanText(at - since)}${what}${tries}${why}`
}

function verdict(table: string, holds: boolean, value: string, limit: number): Verdict {
  return { cause: 'stuck', table, holds, value, limit: spanText(limit) }
}

/** `45.0 s`, `12 min`: people wait in minutes. */
function spanText(ms: number): string {
  return ms < 2 * MINUTE_MS ? timeText(ms) : `${Math.floor(ms / MINUTE_MS)} min`
}
