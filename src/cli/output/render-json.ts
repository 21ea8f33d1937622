/** JSON lines: one object per event on stdout, with consecutive numbers of the written events. */
import type { Event } from '../../model/run/event.ts'
import { visibleJson } from '../../shared/visible.ts'
import type { Frontend } from './frontend.ts'
import type { Output } from './output.ts'

/** Shortest time between two progress lines of one chunk, partition or step, ms. */
const PROGRESS_EVERY_MS = 250

/** One line of JSON. */
export function jsonLine(event: Event, seq: number): string {
  const { v, seq: _engineSeq, ts, runId, type, ...rest } = event
  return `${visibleJson({ v, seq, ts, runId, type, ...rest })}\n`
}

/** Subject of a droppable progress event; null for other events. */
function progressOf(event: Event): { readonly table: string; readonly of: string } | null {
  if (event.type === 'chunk.progress') return { table: event.table, of: event.chunk }
  if (event.type === 'archive.progress') return { table: event.table, of: event.partition }
  return event.type === 'fsck.progress' ? { table: event.table, of: event.step } : null
}

/** @param redact removes secrets from all texts of an event */
export function jsonFrontend(output: Output, redact: (event: Event) => Event): Frontend {
  let seq = 0
  const lastProgress = new Map<string, number>()
  const mayDrop = (event: Event): boolean => {
    if (event.type === 'log') return output.congested && event.level === 'debug'
    const part = progressOf(event)
    if (part === null) return false
    const key = `${part.table}\n${part.of}`
    const at = Date.parse(event.ts)
    if (output.congested || at - (lastProgress.get(key) ?? Number.NEGATIVE_INFINITY) < PROGRESS_EVERY_MS) return true
    lastProgress.set(key, at)
    return false
  }
  return {
    event: (event) => {
      if (mayDrop(event)) return
      if (event.type === 'chunk.done' || event.type === 'chunk.failed')
        lastProgress.delete(`${event.table}\n${event.chunk}`)
      else if (event.type === 'archive.state') lastProgress.delete(`${event.table}\n${event.partition}`)
      seq += 1
      output.data(jsonLine(redact(event), seq))
    },
    close: () => {},
  }
}
