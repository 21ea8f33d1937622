/** `migrator.log`: output of a run with time and level, appended during the run, in addition to the console. */
import { closeSync, openSync } from 'node:fs'
import type { Event } from '../../model/run/event.ts'
import { SluiceError, type ErrorInfo } from '../../shared/errors.ts'
import type { Frontend } from '../output/frontend.ts'
import { fileWriter } from '../output/log-file.ts'
import { sizeText, durationText, grouped, plural } from '../../shared/figures.ts'
import { oneLine } from '../../shared/visible.ts'
import { Narrator } from '../../render/narrator.ts'
import { namedRowKeyText } from '../../render/row-key.ts'

/** Longest key value, in characters. */
const KEY_CHARACTERS = 1000

type Level = 'DEBUG' | 'INFO' | 'WARNING' | 'ERROR'
type Line = readonly [level: Level, text: string, below?: readonly string[]]

/** Events with their own text in this log; others are written as on the console. */
type OwnTexts = Partial<{ [T in Event['type']]: (event: Extract<Event, { type: T }>) => readonly Line[] }>

/**
 * Opens the file at once, so that an unwritable folder fails before the command starts.
 * @param complain called once when writing fails; the run continues
 * @throws SluiceError BAD_FLAG
 */
export function migratorLogFrontend(
  file: string,
  redact: (event: Event) => Event,
  complain: (message: string) => void = () => {},
): Frontend {
  const fd = opened(file)
  const lines = new MigratorLines()
  const write = fileWriter(fd, file, complain)
  return {
    event: (event) => {
      const text = lines.event(redact(event))
      if (text !== '') write(text)
    },
    close: () => closeSync(fd),
  }
}

/** Events as lines of the log. */
export class MigratorLines {
  #narrator = new Narrator(true)
  /** Key columns by table, and how many of them form the partition key. */
  readonly #keys = new Map<string, { readonly names: readonly string[]; readonly partition: number }>()

  /** Lines of an event, each with its line feed; '' if the event has no lines. */
  event(event: Event): string {
    if (event.type === 'run.started') this.#narrator = new Narrator(true)
    if (event.type === 'copy.started')
      this.#keys.set(event.table, { names: event.key, partition: event.ring?.columns ?? 0 })
    const reported = this.report(event)
    return reported
      .map(([level, text, more = []]) => {
        const head = `${event.ts} ${level.padEnd(7)} ${oneLine(text)}\n`
        return head + more.map((line) => `    ${oneLine(line)}\n`).join('')
      })
      .join('')
  }

  report(event: Event): readonly Line[] {
    // The narrator must see every event, even those with their own text.
    const blocks = this.#narrator.event(event)
    const own = (this.#ownTexts as Partial<Record<Event['type'], (event: never) => readonly Line[]>>)[event.type]
    if (own !== undefined) return own(event as never)
    return blocks.map((block) => [
      block.problem ? 'ERROR' : levelOf(event),
      `${block.word.padEnd(8)} ${block.text}`.trimEnd(),
      [...block.details.map(([label, text]) => `${label.padEnd(8)} ${text}`), ...stackOf(event)],
    ])
  }

  readonly #ownTexts: OwnTexts = {
    'chunk.started': ({ table, chunk, worker }) => [['DEBUG', `${table} chunk ${chunk} begins, worker ${worker}`]],
    'chunk.done': ({ table, chunk, worker, done, ms, bytes, quarantined = '0', attempt = 1 }) => {
      const rate = ms === 0 ? '' : `, ${grouped(Math.round((Number(done) * 1000) / ms))} rows/s`
      const facts = [
        `${plural(done, 'row')}${bytes === undefined ? '' : ` (${sizeText(bytes)})`} in ${durationText(ms)}${rate}`,
        `worker ${worker}`,
        ...(attempt > 1 ? [`attempt ${attempt}`] : []),
        ...(quarantined === '0' ? [] : [`${plural(quarantined, 'row')} failed`]),
      ]
      return [['INFO', `${table} chunk ${chunk} done: ${facts.join(', ')}`]]
    },
    'chunk.retried': ({ table, chunk, attempt, waitMs, error }) => [
      [
        'WARNING',
        `${table} chunk ${chunk} retry ${attempt} in ${durationText(waitMs)}: ${errorText(error)}`,
        indented(error),
      ],
    ],
    'chunk.failed': ({ table, chunk, error }) => [
      ['ERROR', `${table} chunk ${chunk} failed: ${errorText(error)}`, indented(error)],
    ],
    'row.aside': ({ table, chunk, key, error }) => {
      const { names, partition } = this.#keys.get(table) ?? { names: [], partition: 0 }
      const where = chunk === '' ? '' : ` (chunk ${chunk})`
      const what = `${table} row failed: ${namedRowKeyText(key, names, partition, KEY_CHARACTERS)}${where}: ${errorText(error)}`
      return [['ERROR', what, indented(error)]]
    },
    'rows.fallback': ({ table, level, keys }) => {
      const { names, partition } = this.#keys.get(table) ?? { names: [], partition: 0 }
      return keys.map((key) => [
        'WARNING',
        `${table} row written at ${level} only, to be checked again: ${namedRowKeyText(key, names, partition, KEY_CHARACTERS)}`,
      ])
    },
    'target.latency': ({ p95Ms, baselineMs }) => [
      ['DEBUG', `the target takes ${p95Ms.toFixed(0)} ms for a megabyte, usually ${baselineMs?.toFixed(0) ?? '?'} ms`],
    ],
  }
}

function levelOf(event: Event): Level {
  if (event.type === 'log') return event.level === 'warn' ? 'WARNING' : event.level === 'debug' ? 'DEBUG' : 'INFO'
  return event.type === 'throttle.on' ? 'WARNING' : 'INFO'
}

function errorText({ code, message, retryable }: ErrorInfo): string {
  return `${code} ${message} (${retryable ? 'recoverable' : 'not recoverable'})`
}

function indented({ where, reason, hint, stack }: ErrorInfo): readonly string[] {
  return [
    ...(where === undefined ? [] : [`where    ${where}`]),
    ...(reason === undefined ? [] : [`cause    ${reason}`]),
    ...(hint === undefined ? [] : [`do       ${hint}`]),
    ...(stack?.split('\n') ?? []),
  ]
}

/** Stack trace of an unexpected error. */
function stackOf(event: Event): readonly string[] {
  const error = 'error' in event ? event.error : undefined
  return typeof error === 'object' ? (error.stack?.split('\n') ?? []) : []
}

function opened(file: string): number {
  try {
    return openSync(file, 'a')
  } catch (error) {
    throw new SluiceError('BAD_FLAG', `${file} cannot be opened`, {
      reason: error instanceof Error ? error.message : String(error),
      hint: 'a copy with --settings writes it into the current folder: run the command in a writable folder',
      cause: error,
    })
  }
}
