/**
 * Converts events to spans: a run, its tables, and their chunks, partition steps and comparisons. Times are from the
 * events; the number of spans is bounded.
 */
import { SpanStatusCode, trace, type Attributes, type Context, type Span, type Tracer } from '@opentelemetry/api'
import type { Event, EventOf } from '../../model/run/event.ts'
import type { ErrorInfo } from '../../shared/errors.ts'

/**
 * At most this many failed spans are reported. The same number of other spans is reported, and after that one in
 * `EACH`.
 */
const ALL = 1000
const EACH = 100

export class RunTraces {
  readonly #tracer: Tracer
  readonly #parent: Context
  readonly #shown: (text: string) => string
  readonly #more: Attributes
  #root: Span | null = null
  readonly #tables = new Map<string, Span>()
  /** Chunks being copied: start time in ms, and number of tries. */
  readonly #chunks = new Map<string, { readonly from: number; tries: number }>()
  #seen = 0
  #failed = 0
  #leftOut = 0

  /**
   * @param parent context of the run's parent span
   * @param shown redacts a name or a URL
   * @param more attributes of the run
   */
  constructor(tracer: Tracer, parent: Context, shown: (text: string) => string, more: Attributes = {}) {
    this.#tracer = tracer
    this.#parent = parent
    this.#shown = shown
    this.#more = more
  }

  take(event: Event): void {
    const at = Date.parse(event.ts)
    switch (event.type) {
      case 'run.started':
        return this.#begun(event, at)
      case 'run.finished':
        return this.#finished(event, at)
      case 'copy.started':
        return void this.#table(event.table, at)?.setAttribute('sluice.rows.planned', Number(event.rows))
      case 'table.started':
        return void this.#table(event.table, at)?.setAttribute('sluice.version.to', Number(event.toVersion))
      case 'table.finished':
        return this.#tableFinished(event, at)
      case 'chunk.started':
        return void this.#chunks.set(keyOf(event), { from: at, tries: 1 })
      case 'chunk.retried': {
        const open = this.#chunks.get(keyOf(event))
        if (open !== undefined) open.tries += 1
        return
      }
      case 'chunk.done':
        return this.#chunk(event, at, 'done', {
          'sluice.done': Number(event.done),
          'sluice.unit': event.unit,
          ...counts(event, ['read', 'written', 'skipped', 'quarantined', 'bytes']),
        })
      case 'chunk.failed':
        return this.#chunk(event, at, 'failed', {}, event.error)
      case 'chunk.released':
        return this.#chunk(event, at, 'released', { 'sluice.reason': event.reason })
      case 'index.done':
        return this.#child('object', event.table, at - event.ms, at, { 'sluice.kind': event.kind })
      case 'index.failed':
        return this.#child('object', event.table, at, at, { 'sluice.kind': event.kind }, event.error)
      case 'archive.state': {
        const about = { 'sluice.partition': this.#shown(event.partition), 'sluice.state': event.state }
        const done = counts(event, ['rows', 'bytes', 'files'])
        return this.#child('partition', event.table, at - event.ms, at, { ...about, ...done }, event.error)
      }
      case 'follow.proved':
        return this.#child('comparison', event.table, at - event.ms, at, counts(event, ['rows', 'differing']))
      case 'follow.halted':
        return void this.#root?.addEvent('halted', { 'error.type': event.code }, at)
      case 'alert':
        return void this.#root?.addEvent(`alert ${event.state}`, { 'sluice.cause': event.cause }, at)
      default:
    }
  }

  /** Ends all open spans. */
  end(): void {
    for (const span of this.#tables.values()) span.end()
    this.#tables.clear()
    this.#root?.end()
    this.#root = null
  }

  #begun({ command, tool, runId, source, target }: EventOf<'run.started'>, at: number): void {
    const attributes = {
      ...this.#more,
      'sluice.command': command,
      'sluice.version': tool,
      'sluice.run': runId ?? '',
      ...(source === undefined ? {} : { 'sluice.source': this.#shown(source) }),
      ...(target === undefined ? {} : { 'sluice.target': this.#shown(target) }),
    }
    this.#root = this.#tracer.startSpan(`sluice ${command}`, { startTime: at, attributes }, this.#parent)
  }

  #finished({ status, exitCode, totals, error }: EventOf<'run.finished'>, at: number): void {
    for (const span of this.#tables.values()) span.end(at)
    this.#tables.clear()
    const root = this.#root
    this.#root = null
    if (root === null) return
    root.setAttributes({ 'sluice.status': status, 'sluice.exit_code': exitCode })
    for (const [name, value] of Object.entries(totals)) root.setAttribute(`sluice.total.${name}`, Number(value))
    if (this.#leftOut > 0) root.setAttributes({ 'sluice.spans.left_out': this.#leftOut, 'sluice.spans.one_of': EACH })
    failSpan(root, status === 'stopped' ? undefined : error)
    root.end(at)
  }

  #tableFinished(event: EventOf<'table.finished'>, at: number): void {
    const { table, status, ms, version, copied, error } = event
    const attributes = {
      'sluice.status': status,
      ...(version === undefined ? {} : { 'sluice.version': Number(version) }),
      ...counts(event, ['files', 'bytes', 'actions']),
      ...(copied === undefined ? {} : counts(copied, ['chunks', 'read', 'written', 'skipped', 'quarantined'])),
    }
    const span = this.#tables.get(table)
    if (span === undefined)
      return this.#child('table', null, at - ms, at, { ...this.#named(table), ...attributes }, error)
    this.#tables.delete(table)
    span.setAttributes(attributes)
    failSpan(span, error)
    span.end(at)
  }

  #chunk(
    event: { table: string; chunk: string },
    at: number,
    outcome: string,
    more: Attributes,
    error?: ErrorInfo,
  ): void {
    const key = keyOf(event)
    const { from = at, tries = 1 } = this.#chunks.get(key) ?? {}
    this.#chunks.delete(key)
    const about = { 'sluice.chunk': event.chunk, 'sluice.outcome': outcome, 'sluice.tries': tries }
    this.#child('chunk', event.table, from, at, { ...about, ...more }, error)
  }

  /** The span of a table, started if needed; null beyond the limit. */
  #table(table: string, at: number): Span | null {
    const known = this.#tables.get(table)
    if (known !== undefined) return known
    if (!this.#isReported(false)) return null
    const span = this.#tracer.startSpan(
      'table',
      { startTime: at, attributes: this.#named(table) },
      this.#under(this.#root),
    )
    this.#tables.set(table, span)
    return span
  }

  #child(
    name: string,
    table: string | null,
    from: number,
    to: number,
    attributes: Attributes,
    error?: ErrorInfo,
  ): void {
    if (!this.#isReported(error !== undefined)) return
    const parent = (table === null ? null : this.#tables.get(table)) ?? this.#root
    const about = { ...(table === null ? {} : this.#named(table)), ...attributes }
    const span = this.#tracer.startSpan(name, { startTime: Math.min(from, to), attributes: about }, this.#under(parent))
    failSpan(span, error)
    span.end(to)
  }

  #isReported(hasFailed: boolean): boolean {
    const isReported = hasFailed ? this.#failed++ < ALL : this.#seen++ < ALL || this.#seen % EACH === 0
    if (!isReported) this.#leftOut += 1
    return isReported
  }

  #under(span: Span | null): Context {
    return span === null ? this.#parent : trace.setSpan(this.#parent, span)
  }

  #named(table: string): Attributes {
    return { 'sluice.table': this.#shown(table) }
  }
}

/** Marks a span as failed, with the error code only: error texts may contain keys and values. */
export function failSpan(span: Span, error: ErrorInfo | undefined): void {
  if (error === undefined) return
  span.setStatus({ code: SpanStatusCode.ERROR, message: error.code }).setAttribute('error.type', error.code)
}

function counts<K extends string>(of: Readonly<Partial<Record<K, unknown>>>, names: readonly K[]): Attributes {
  return Object.fromEntries(
    names.flatMap((name) => (of[name] === undefined ? [] : [[`sluice.${name}`, Number(of[name])]])),
  )
}

function keyOf({ table, chunk }: { readonly table: string; readonly chunk: string }): string {
  return JSON.stringify([table, chunk])
}
