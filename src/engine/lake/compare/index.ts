/** `performance-compare`: asks files and SQL the same questions, and compares every answer. */
import { createHash } from 'node:crypto'
import { dec, type Emit, type QuestionEvent } from '../../../model/run/event.ts'
import type { LogStore } from '../../../model/lake/log-store.ts'
import type { ParquetRows } from '../../../model/lake/parquet-rows.ts'
import { throwIfAborted, type Interrupt } from '../../../shared/abort.ts'
import { SluiceError } from '../../../shared/errors.ts'
import type { SqlDatabase, SqlDialect } from '../../../model/run/sql-port.ts'
import { latencyText, NO_LATENCY, threadsText, type LatencySetting } from './latency.ts'
import { measure, type MeasuredQuestion } from './measure.ts'
import { plannedQuestions, type ComparePlan, type PlannedQuestion, type SkippedQuestion } from './plan.ts'
import type { SqlTrips } from './round-trips.ts'
import { prepareComparison } from './prepare.ts'
import { COLD_MEANING, isQuestionId, QUESTIONS, type QuestionId } from './questions.ts'
import { verdict } from './timing.ts'
import { shellQuote } from '../../../shared/shell.ts'

export type CompareOptions = {
  readonly log: LogStore
  readonly parquet: () => Promise<ParquetRows>
  readonly catalog: SqlDatabase
  /** The same catalog with the simulated latency: this one is timed. Default: `catalog`. */
  readonly farCatalog?: SqlDatabase
  /** URL for the cold child process, which gets it on stdin only. */
  readonly catalogUrl: string
  readonly tableId: string
  /** The table as the user named it, for events. */
  readonly table: string
  /** Timed runs per side, at least 1. */
  readonly runs: number
  readonly cold: boolean
  /** Ids of QUESTIONS; all if absent or empty. */
  readonly questions?: readonly string[]
  readonly interrupt: Interrupt
  readonly emit: Emit<'plan.ready' | 'chunk.started' | 'question' | 'chunk.done' | 'log'>
  /** Opens a fresh store over the same table, with the simulated latency. Each timed run of the files opens a store. */
  readonly openLog: () => LogStore | Promise<LogStore>
  /** Counts the round trips of SQL. Default: they are not counted. */
  readonly sqlTrips?: SqlTrips
  /** What is delayed for files and SQL. Default: nothing. */
  readonly latency?: LatencySetting
}

/** An answered question with the values selected for it and the digest of its answer. */
export type CompareResult = QuestionEvent & {
  readonly detail: string
  readonly digest: string
  readonly does: { readonly files: string; readonly sql: string }
}

export type CompareSummary = {
  readonly plan: ComparePlan
  readonly table: string
  readonly runs: number
  readonly cold: boolean
  readonly results: readonly CompareResult[]
  readonly skipped: readonly SkippedQuestion[]
  readonly equal: number
  readonly different: number
  readonly faster: Readonly<Record<QuestionEvent['faster'], number>>
  readonly latency: LatencySetting
  /** Dialect of the catalog. */
  readonly dialect: SqlDialect
}

/**
 * Asks every question on both sides; emits `plan.ready`, then a `question` event for each answered question. Ends
 * normally if answers differ: see `compareFailure`.
 * @throws SluiceError BAD_FLAG for an unknown question; STOPPED; read errors of either side
 */
export async function compareTable(options: CompareOptions): Promise<CompareSummary> {
  const { emit, interrupt, table, catalog, farCatalog = catalog, latency = NO_LATENCY } = options
  const wanted = chosenQuestions(options.questions)
  const note = (message: string): void => emit({ type: 'log', level: 'note', table, message })
  const { plan, reasons, notes } = await prepareComparison({ ...options, wanted, signal: interrupt.stop })
  const { asked, skipped } = plannedQuestions(plan, wanted, reasons)
  const count = dec(asked.length)
  emit({
    type: 'plan.ready',
    hash: createHash('sha256')
      .update(JSON.stringify([plan, asked.map(({ id }) => id)]))
      .digest('hex')
      .slice(0, 8),
    tables: '1',
    chunks: count,
    unit: 'question',
    total: count,
    estimated: false,
    bytes: '0',
    excluded: [],
  })
  notes.forEach(note)
  if (plan.logVersion !== plan.catalogVersion) emit({ type: 'log', level: 'warn', table, ...unevenVersions(plan) })
  for (const { title, reason } of skipped) note(`${title}: skipped, ${reason}`)
  if (options.cold) note(COLD_MEANING)
  note(threadsText(catalog.dialect))
  if (latency.ms > 0) note(latencyText(latency))
  const results: CompareResult[] = []
  for (const question of asked) {
    throwIfAborted(interrupt.stop)
    const begun = performance.now()
    emit({ type: 'chunk.started', table, chunk: question.id, worker: 1, total: '1', unit: 'question' })
    const measured = await measure(question.id, {
      ...options,
      sqlTrips: options.sqlTrips ?? null,
      catalog: farCatalog,
      plan,
      latency,
      onNote: note,
    })
    const event = questionEvent(question, measured, options.runs)
    emit(event)
    const ms = Math.round(performance.now() - begun)
    emit({ type: 'chunk.done', table, chunk: question.id, worker: 1, done: '1', unit: 'question', ms })
    const does = { files: question.files, sql: question.sql }
    results.push({ ...event, detail: question.detail, digest: measured.digest, does })
  }
  const requests = requestsText(results)
  if (requests !== null) note(requests)
  return summarise(options, plan, results, skipped)
}

/** Text about the requests of all questions, each asked once; null if the lake is a local folder. */
export function requestsText(results: readonly Pick<QuestionEvent, 'files'>[]): string | null {
  const counted = results.flatMap(({ files }) => (files.requests === undefined ? [] : [files]))
  if (counted.length === 0) return null
  const sum = (pick: (side: QuestionEvent['files']) => string | undefined): bigint =>
    counted.reduce((total, one) => total + BigInt(pick(one) ?? 0), 0n)
  const requests = sum((side) => side.requests)
  const bytes = sum((side) => side.requestBytes)
  return `to answer every question once, the files took ${requests} requests and ${bytes} bytes of the lake, SQL 0 requests`
}

/** Error with which the run must end, or null. @returns SluiceError DIFFERENCES */
export function compareFailure({ results, different, table, plan }: CompareSummary): SluiceError | null {
  const first = results.find(({ same }) => !same)
  if (first === undefined) return null
  return new SluiceError('DIFFERENCES', `${different} of ${results.length} answers differ between the files and SQL`, {
    where: table,
    reason: `${first.title}: ${first.difference ?? 'the answers differ'}`,
    hint:
      plan.logVersion > plan.catalogVersion
        ? 'the log is newer than the catalog: import the table again, then compare'
        : `find what differs with: sluice validate ${shellQuote(table)}`,
  })
}

function chosenQuestions(ids: readonly string[] | undefined): ReadonlySet<QuestionId> {
  const known = QUESTIONS.map(({ id }) => id)
  if (ids === undefined || ids.length === 0) return new Set(known)
  const wanted = new Set<QuestionId>()
  for (const id of ids) {
    if (!isQuestionId(id))
      throw new SluiceError('BAD_FLAG', `there is no question ${id}`, { hint: `the questions are ${known.join(', ')}` })
    wanted.add(id)
  }
  return wanted
}

function unevenVersions({ logVersion, catalogVersion, version }: ComparePlan): { message: string; hint: string } {
  const message = `the log is at v${logVersion} and the catalog at v${catalogVersion}: this is a difference; everything else is compared at v${version}`
  return { message, hint: 'import the table again to compare the newest version' }
}

function questionEvent({ id, asked }: PlannedQuestion, measured: MeasuredQuestion, runs: number): QuestionEvent {
  const { files, sql, difference } = measured
  return {
    type: 'question',
    question: id,
    title: asked,
    same: difference === null,
    rows: dec(measured.rows),
    runs,
    files,
    sql,
    ...verdict(measured.filesMs, measured.sqlMs),
    ...(difference === null ? {} : { difference }),
  }
}

function summarise(
  { table, runs, cold, catalog, latency = NO_LATENCY }: CompareOptions,
  plan: ComparePlan,
  results: readonly CompareResult[],
  skipped: readonly SkippedQuestion[],
): CompareSummary {
  const faster = { files: 0, sql: 0, even: 0 }
  for (const result of results) faster[result.faster]++
  const equal = results.filter(({ same }) => same).length
  const different = results.length - equal
  return { plan, table, runs, cold, results, skipped, equal, different, faster, latency, dialect: catalog.dialect }
}
