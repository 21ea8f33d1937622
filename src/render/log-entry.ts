/** The narrator's lines of a run as entries of a log. */
import type { Event } from '../model/run/event.ts'
import type { Block, LineWord } from './block.ts'
import { Narrator } from './narrator.ts'
import { msOf } from './screen-format.ts'
import { clean, takeStart } from './screen-text.ts'

export type LogEntry = {
  readonly ts: number
  readonly level: 'note' | 'warn' | 'error'
  readonly text: string
}

/** Maximum length of an entry, in cells, so that one hostile message cannot fill the memory. */
const LOG_CELLS = 500

/**
 * Lines that are left out, because screens show them themselves: the pace of a run, and the command that resumes it.
 */
const OMITTED_WORDS: ReadonlySet<LineWord> = new Set(['at', 'next'])

const ERROR_LABELS: ReadonlySet<string> = new Set(['where', 'cause', 'do'])

export class LogEntries {
  readonly #narrator = new Narrator(false)

  /** The entries of an event, in order. */
  event(event: Event, now: number): readonly LogEntry[] {
    const ts = msOf(event.ts) ?? now
    const blocks = this.#narrator.event(event).filter(({ word }) => !OMITTED_WORDS.has(word))
    return blocks.map((block) => ({
      ts,
      level: levelOf(event, block),
      text: takeStart(clean(textOf(block)), LOG_CELLS),
    }))
  }
}

function levelOf(event: Event, { word, problem }: Block): LogEntry['level'] {
  if (problem) return 'error'
  const isWarning = event.type === 'log' && event.level === 'warn'
  return isWarning || ['quarantine', 'refused', 'retry', 'throttle'].includes(word) ? 'warn' : 'note'
}

/** A block as one row: without columns, tables and pointers, which need several lines. */
function textOf({ word, text, details }: Block): string {
  const begun = word === 'note' ? '' : `${word} `
  const more = details.filter(([label]) => ERROR_LABELS.has(label)).map(([label, detail]) => ` · ${label}: ${detail}`)
  return [begun, text.trim(), ...more].join('').replaceAll(/ {2,}/g, ' ')
}
