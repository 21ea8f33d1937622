/** Bounded list of the failures of single tables that the tasks of a run reported. */
import type { TaskRow } from '../../model/share/distributed.ts'
import type { Event } from '../../model/run/event.ts'
import { errorLine, type ErrorCode, type ErrorInfo } from '../../shared/errors.ts'

/** @property message text that includes the error code, if there is one */
export type FailureCause = { readonly table?: string; readonly message: string; readonly hint?: string }

const DIFFERENCES: ErrorCode = 'DIFFERENCES'
/** Final errors of runs over several tables: the failure of each table is a cause. */
const SUMMARIES: ReadonlySet<ErrorCode> = new Set<ErrorCode>(['TABLES_FAILED', DIFFERENCES])

/** Limit of causes per task; further ones are counted. */
const KEPT = 100
/** Limit of causes in the error of a run. */
const NAMED = 5

/** True if an event explains a failure: such events are kept longer. */
export function isCause(event: Event): boolean {
  if (event.type === 'table.finished') return event.status === 'failed' || event.error !== undefined
  return event.type === 'log' && event.level === 'error'
}

/** Collects causes from the events of one turn. The last `table.finished` of a table replaces earlier ones. */
export class FailureCauses {
  readonly #found = new Map<string, FailureCause>()
  #more = 0

  take(event: Event): void {
    if (event.type === 'table.finished') {
      const { table, error, status, notes } = event
      this.#found.delete(table)
      if (error !== undefined) this.#note(table, { table, message: errorLine(error), ...hintOf(error) })
      // A comparison reports a differing table without an error: note the table, unless an earlier event explains it.
      else if (status === 'failed' && !this.all.some((cause) => cause.table === table))
        this.#note(table, { table, message: `${DIFFERENCES} ${notes?.[0] ?? 'the table differs'}` })
    } else if (event.type === 'log' && event.level === 'error') {
      const { table, message } = event
      const about = table === undefined ? {} : { table }
      this.#note(`${table ?? ''}\n${message}`, { ...about, message, ...hintOf(event) })
    }
  }

  get all(): readonly FailureCause[] {
    return [...this.#found.values()]
  }

  /** Number of causes that were not kept. */
  get more(): number {
    return this.#more
  }

  #note(key: string, cause: FailureCause): void {
    if (this.#found.size < KEPT || this.#found.has(key)) this.#found.set(key, cause)
    else this.#more += 1
  }
}

/**
 * The error of a run, with the causes as its reason. Unchanged if it already has a reason, or if there is no cause
 * besides the error itself.
 */
export function withCauses(error: ErrorInfo, causes: FailureCauses): ErrorInfo {
  const others = causes.all.filter((cause) => !isSameCause(cause, error))
  if (error.reason !== undefined || others.length === 0) return error
  const named = others
    .slice(0, NAMED)
    .map(({ table, message }) => (table === undefined ? message : `${table}: ${message}`))
  const left = others.length - named.length + causes.more
  const isSum = causes.all.length === others.length && SUMMARIES.has(error.code)
  const list = `${named.join('; ')}${left > 0 ? `; and ${left} more` : ''}`
  return { ...error, reason: isSum ? list : `also: ${list}` }
}

/** True if the error of a run is the same as the cause. */
export function isSameCause({ message }: FailureCause, error: Pick<ErrorInfo, 'code' | 'message' | 'reason'>): boolean {
  return message === error.message || message === errorLine(error) || message === `${error.code} ${error.message}`
}

/**
 * Causes from the tasks of a run, each once, without the run's own error. Successful and on-call tasks are left out.
 * @param output events of each task that its worker kept
 */
export function causesOfTasks(
  slots: readonly TaskRow[],
  output: readonly { readonly no: number; readonly events: readonly Event[] }[],
  error: ErrorInfo,
): readonly FailureCause[] {
  const found = new Map<string, FailureCause>()
  for (const slot of slots.filter(({ onCall, exitCode }) => !onCall && exitCode !== 0)) {
    const causes = new FailureCauses()
    for (const event of output.find(({ no }) => no === slot.no)?.events ?? []) causes.take(event)
    const own = slot.about === '' || slot.error === null ? [] : [tableCause(slot.about, slot.error)]
    // The hint of a comparison applies to all of its tables.
    const advice = slot.error?.code === DIFFERENCES ? hintOf(slot.error) : {}
    for (const cause of causes.all.length > 0 ? causes.all : own)
      if (!isSameCause(cause, error)) found.set(`${cause.table ?? ''}\n${cause.message}`, { ...advice, ...cause })
  }
  return [...found.values()]
}

/** Notes on tables that did not fail, such as surplus rows, each once. Failed tables are causes. */
export function notesOfTasks(
  output: readonly { readonly events: readonly Event[] }[],
): readonly { readonly table: string; readonly note: string }[] {
  const found = new Map<string, { readonly table: string; readonly note: string }>()
  for (const { events } of output)
    for (const event of events)
      if (event.type === 'table.finished' && !isCause(event))
        for (const note of event.notes ?? []) found.set(`${event.table}\n${note}`, { table: event.table, note })
  return [...found.values()]
}

function tableCause(table: string, error: ErrorInfo): FailureCause {
  return { table, message: errorLine(error), ...hintOf(error) }
}

function hintOf({ hint }: { readonly hint?: string }): { readonly hint?: string } {
  return hint === undefined ? {} : { hint }
}
