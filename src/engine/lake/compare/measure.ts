/** Measures one question on files and SQL: compares the answers, then times alternating warm runs, then cold runs. */
import { readableTable } from '../../../catalog/catalog.ts'
import { countingLogStore } from '../../../delta/counting.ts'
import { DeltaTable } from '../../../delta/table.ts'
import { dec, type AnswerTiming } from '../../../model/run/event.ts'
import { pathOfLocation } from '../../../model/lake/lake-url.ts'
import type { LogStore, RequestCounts } from '../../../model/lake/log-store.ts'
import { PARQUET_THREADS, type ParquetRows } from '../../../model/lake/parquet-rows.ts'
import { throwIfAborted, type Interrupt } from '../../../shared/abort.ts'
import type { SqlDatabase, SqlReader } from '../../../model/run/sql-port.ts'
import { drain, type PagedAnswer } from './answer.ts'
import { askFiles, type FilesSide } from './ask-files.ts'
import { askSql } from './ask-sql.ts'
import { askCold, type ColdAnswer } from './cold.ts'
import { takesThreads, type LatencySetting } from './latency.ts'
import type { ComparePlan } from './plan.ts'
import type { QuestionId } from './questions.ts'
import { prove } from './proof.ts'
import { asInBucket, type SqlTrips } from './round-trips.ts'
import { median, p95, roundMs } from './timing.ts'

const NOTHING: RequestCounts = { lists: 0, gets: 0, heads: 0, bytes: 0, inSequence: 0 }

/** Questions about totals, each with the question about its rows: equal totals do not prove equal files. */
const PROVED_BY: Partial<Record<QuestionId, QuestionId>> = { counts: 'active-files' }

/** Maximum number of cold runs of files or SQL; no run begins after `COLD_LIMIT_MS` in total. */
const COLD_RUNS = 3
const COLD_LIMIT_MS = 5_000

export type MeasureOptions = {
  readonly plan: ComparePlan
  readonly openLog: () => LogStore | Promise<LogStore>
  readonly parquet: () => Promise<ParquetRows>
  /** The catalog with the simulated latency. */
  readonly catalog: SqlDatabase
  readonly catalogUrl: string
  readonly runs: number
  readonly cold: boolean
  readonly interrupt: Interrupt
  readonly latency: LatencySetting
  /** Counter of SQL's round trips; null: they are not counted. */
  readonly sqlTrips: SqlTrips | null
  /** Called with the reason if cold figures are missing. */
  readonly onNote: (message: string) => void
}

export type MeasuredQuestion = {
  readonly files: AnswerTiming
  readonly sql: AnswerTiming
  /** Unrounded warm medians. */
  readonly filesMs: number
  readonly sqlMs: number
  readonly rows: number
  readonly digest: string
  readonly difference: string | null
}

/** @throws SluiceError STOPPED, ABORTED; errors of files or SQL */
export async function measure(id: QuestionId, options: MeasureOptions): Promise<MeasuredQuestion> {
  const { plan, catalog, interrupt, cold } = options
  // A stop need not wait for the end of the question, because questions write nothing.
  const signal = interrupt.stop
  const log = await options.openLog()
  const counting = countingLogStore(log)
  const files = (from: LogStore, question = id): PagedAnswer =>
    askFiles(question, plan, { log: from, parquet: options.parquet, signal })
  const sql = (reader: SqlReader, question = id): PagedAnswer => askSql(question, plan, reader, signal)
  const { latency } = options

  // The warm-up is the proof: both whole answers are read and compared, untimed.
  let requests: RequestCounts | null = null
  let isCounted = false
  const proof = await prove(
    async (body) => {
      if (isCounted) return body(files(log))
      isCounted = true
      const found = await body(files(counting))
      requests = log.requests === undefined ? null : { ...log.requests }
      return found
    },
    (body) => catalog.read((reader) => body(sql(reader))),
    plan.schema,
  )
  let { difference } = proof
  const by = PROVED_BY[id]
  if (by !== undefined && difference === null) {
    const rows = await prove(
      (body) => body(files(log, by)),
      (body) => catalog.read((reader) => body(sql(reader, by))),
      plan.schema,
    )
    if (rows.difference !== null) difference = `the totals are equal, but their files are not: ${rows.difference}`
  }
  if (id === 'latest-version')
    difference ??= await versionDifference(plan, { log, parquet: options.parquet, signal }, catalog)
  const [filesDigest, sqlDigest] = [proof.files, proof.sql]
  const inBucket = requests ?? (await asInBucket(await options.openLog(), (from) => files(from)))
  const sqlTrips = (await options.sqlTrips?.of((reader) => sql(reader))) ?? null

  const filesRun = async (): Promise<number> => drain(files(await options.openLog()))
  const sqlRun = (): Promise<number> => catalog.read((reader) => drain(sql(reader)))
  const proved = { files: filesDigest.rows, sql: sqlDigest.rows }
  const { filesTimes, sqlTimes, rows: timedRows } = await timedRuns(filesRun, sqlRun, proved, options)
  difference ??= changedRows('a timed run', filesDigest.rows, timedRows)

  const [filesCold, sqlCold] = cold
    ? [await coldRuns('files', id, options), await coldRuns('sql', id, options)]
    : [null, null]
  if (cold) {
    const rows = { files: filesCold?.rows ?? filesDigest.rows, sql: sqlCold?.rows ?? sqlDigest.rows }
    difference ??= changedRows('a cold run', filesDigest.rows, rows)
  }
  return {
    files: {
      ...timingOf(filesTimes, filesCold, counting.counts.opened),
      ...requestFields(requests, latency.ms, latency.lake),
      roundTrips: dec(inBucket.inSequence),
      ...(requests === null ? { bucketRequests: dec(totalRequests(inBucket)) } : {}),
      duckdbThreads: PARQUET_THREADS,
    },
    sql: {
      // SQL opens no file of the log.
      ...timingOf(sqlTimes, sqlCold, 0),
      ...requestFields(requests === null ? null : NOTHING, latency.ms, latency.sql),
      ...(sqlTrips === null ? {} : { roundTrips: dec(sqlTrips) }),
      ...(takesThreads(catalog.dialect) ? { duckdbThreads: PARQUET_THREADS } : {}),
    },
    filesMs: median(filesTimes),
    sqlMs: median(sqlTimes),
    rows: filesDigest.rows,
    digest: filesDigest.hex(),
    difference,
  }
}

type Rows = { readonly files: number; readonly sql: number }

/**
 * @returns ms of each run, and row counts of files and SQL: those of the proof, unless a run has returned another count
 */
async function timedRuns(
  files: () => Promise<number>,
  sql: () => Promise<number>,
  proved: Rows,
  { runs, interrupt }: MeasureOptions,
): Promise<{ readonly filesTimes: readonly number[]; readonly sqlTimes: readonly number[]; readonly rows: Rows }> {
  const [filesTimes, sqlTimes]: [number[], number[]] = [[], []]
  const rows = { ...proved }
  for (let run = 0; run < runs; run++) {
    throwIfAborted(interrupt.stop)
    // Alternate files and SQL, so that other load of the machine affects both.
    const [filesTimed, sqlTimed] = [await timeRun(files), await timeRun(sql)]
    filesTimes.push(filesTimed.ms)
    sqlTimes.push(sqlTimed.ms)
    if (filesTimed.rows !== proved.files) rows.files = filesTimed.rows
    if (sqlTimed.rows !== proved.sql) rows.sql = sqlTimed.rows
  }
  return { filesTimes, sqlTimes, rows }
}

/**
 * Checks whether catalog and log, whose newest versions differed at the start, still differ: a writer or a sync may run
 * during the comparison.
 * @returns the difference as text; null if both had the same version at the start, or the one that was behind has
 * advanced since
 * @throws SluiceError of the log or catalog that was behind
 */
async function versionDifference(plan: ComparePlan, files: FilesSide, catalog: SqlDatabase): Promise<string | null> {
  const { logVersion, catalogVersion, version, tableId } = plan
  if (logVersion === catalogVersion) return null
  const isLogBehind = logVersion === version
  const now = isLogBehind
    ? (await DeltaTable.open(files.log, files.parquet, files.signal, 'newest')).latest
    : (await catalog.read((reader) => readableTable(reader, { tableId }))).latest
  return now > version ? null : `the newest version: version is ${logVersion} in the files, ${catalogVersion} in SQL`
}

/** Number of all requests, of every kind. */
function totalRequests({ lists, gets, heads }: RequestCounts): number {
  return lists + gets + heads
}

async function timeRun(run: () => Promise<number>): Promise<{ readonly ms: number; readonly rows: number }> {
  const begun = performance.now()
  const rows = await run()
  return { ms: performance.now() - begun, rows }
}

/** The difference if a run returned another number of rows than the proof, because the table has changed; else null. */
function changedRows(
  which: string,
  proved: number,
  now: { readonly files: number; readonly sql: number },
): string | null {
  if (now.files !== proved) return `the files gave ${now.files} rows in ${which}, ${proved} in the proof`
  return now.sql === proved ? null : `SQL gave ${now.sql} rows in ${which}, ${proved} in the proof`
}

/** Median of up to three cold runs, each in a new child process. If one fails: null, after a note with the reason. */
async function coldRuns(
  which: 'files' | 'sql',
  question: QuestionId,
  options: MeasureOptions,
): Promise<ColdAnswer | null> {
  const { plan, catalogUrl, interrupt, latency, onNote } = options
  const path = pathOfLocation((await options.openLog()).root)
  const answers: ColdAnswer[] = []
  let spent = 0
  while (answers.length < COLD_RUNS && spent < COLD_LIMIT_MS) {
    throwIfAborted(interrupt.stop)
    try {
      const request = {
        side: which,
        question,
        plan,
        path,
        catalogUrl,
        latency,
        countBytes: answers.length === 0,
      } as const
      const answer = await askCold(request, interrupt.stop)
      answers.push(answer)
      spent += answer.ms
    } catch (error) {
      throwIfAborted(interrupt.stop)
      const message = error instanceof Error ? error.message : String(error)
      onNote(`${question}: no cold figure for ${which}: ${message}`)
      return null
    }
  }
  const [first] = answers
  if (first === undefined) return null
  return { ms: median(answers.map(({ ms }) => ms)), readBytes: first.readBytes, rows: first.rows }
}

function requestFields(
  requests: RequestCounts | null,
  addedMs: number,
  delayed: AnswerTiming['delayed'] | null,
): Pick<AnswerTiming, 'requests' | 'requestBytes' | 'addedMs' | 'delayed'> {
  return {
    ...(requests === null ? {} : { requests: dec(totalRequests(requests)), requestBytes: dec(requests.bytes) }),
    ...(delayed === null || delayed === undefined ? {} : { addedMs, delayed }),
  }
}

function timingOf(times: readonly number[], cold: ColdAnswer | null, opened: number): AnswerTiming {
  return {
    p50Ms: roundMs(median(times)),
    p95Ms: roundMs(p95(times)),
    coldMs: cold === null ? null : roundMs(cold.ms),
    readBytes: cold?.readBytes ?? null,
    opened,
  }
}
