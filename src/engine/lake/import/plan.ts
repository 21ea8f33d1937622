/** Plans an import from listings and cheap reads only. Writes nothing and creates no catalog. */
import { createHash } from 'node:crypto'
import { readImportHead, importCompleteness, type CatalogTableKey } from '../../../catalog/import/head.ts'
import { listLog, type CommitFile } from '../../../delta/listing.ts'
import { LOG_FOLDER } from '../../../delta/log-path.ts'
import type { LogListingEntry, LogStore } from '../../../model/lake/log-store.ts'
import { probeTable } from '../../../delta/probe.ts'
import { logHistory } from '../../../delta/segment.ts'
import { dec, type PlanLine } from '../../../model/run/event.ts'
import { asSluiceError, type SluiceError } from '../../../shared/errors.ts'
import type { SqlDatabase } from '../../../model/run/sql-port.ts'
import { openLake, parquetRows, refuseUncreatable } from '../../run/registry.ts'
import type { Run } from '../../run/run-context.ts'
import { orderedResults, parallelAt } from '../in-order.ts'
import { existingCatalog } from '../table-source.ts'
import { defaultTableId } from '../table-id.ts'
import { keysFrom } from '../../../catalog/import/moved.ts'
import type { ImportOptions } from '../../../catalog/import/options.ts'
import { findStart } from '../../../catalog/import/find-start.ts'

export type PlanTarget = {
  readonly name: string
  readonly path: string
  /** Id in the catalog, existing or new; absent: the import finds or makes one. */
  readonly tableId?: string
  /** True if the catalog may have another location for the table with this id. */
  readonly moved?: boolean
}

export type Plan = {
  readonly lines: readonly PlanLine[]
  readonly errors: ReadonlyMap<string, SluiceError>
  /** The logs opened for the plan, by path; empty for a plan of many tables. */
  readonly logs: ReadonlyMap<string, LogStore>
  readonly hash: string
  /** Actions to import, estimated from the bytes of the logs. */
  readonly actions: number
  /** Actions of unfinished imports that are in the catalog already. */
  readonly baseline: number
}

/** Measured on two busy cores: log bytes per second, and the fixed cost of a commit file. For estimates only. */
const BYTES_A_SECOND = 35_000_000
const MS_A_COMMIT = 0.25
const CHECKPOINT_FACTOR = 4
const CHECKPOINT_ROW_BYTES = 150
const SAMPLE_BYTES = 65_536
const LINE_BYTES = 500
/** With at most this many tables, the listings of their logs are kept for the import that follows. */
const FEW_TARGETS = 16

/** A kept listing is used for at most this long. */
const FRESH_MS = 10_000
/** A longer listing is not kept: it takes time to read and more memory than the saved round trip is worth. */
const MOST_ENTRIES = 2_000

/**
 * @param deep true for a plan that is only shown. The plan then also counts files, bytes and rows of the tables, and
 * refuses what the import would refuse.
 */
export async function planTables(
  targets: readonly PlanTarget[],
  catalogUrl: string,
  run: Run,
  deep: boolean,
): Promise<Plan> {
  await refuseUncreatable(catalogUrl)
  const lines: PlanLine[] = []
  let actions = 0
  let baseline = 0
  const workers = parallelAt(targets.map(({ path }) => path))
  const errors = new Map<string, SluiceError>()
  const logs = new Map<string, LogStore>()
  const database = await existingCatalog(catalogUrl)
  const plannedOrThrown = async (target: PlanTarget): Promise<Attempt> => {
    try {
      const log = await openLake(target.path)
      const own = targets.length <= FEW_TARGETS ? listedOnce(log) : log
      return { target, planned: await planLine(target, own, database, run, deep), thrown: null }
    } catch (thrown) {
      return { target, planned: null, thrown }
    }
  }
  try {
    for await (const { target, planned, thrown } of orderedResults(targets, workers, plannedOrThrown)) {
      if (planned !== null) {
        lines.push(planned.line)
        actions += planned.actions
        baseline += planned.baseline
        if (targets.length <= FEW_TARGETS) logs.set(target.path, planned.log)
      } else {
        const error = asSluiceError(thrown)
        if (error.kind === 'stopped' || error.kind === 'internal') throw thrown
        errors.set(target.name, error)
        const status = error.kind === 'unsupported' ? 'refused' : 'failed'
        lines.push({ table: target.name, location: target.path, status, error: error.info() })
      }
    }
  } finally {
    await database?.close()
  }
  const identity = lines.map((line) => [line.location, line.status, line.fromVersion, line.toVersion])
  return {
    lines,
    errors,
    logs,
    hash: createHash('sha256').update(JSON.stringify(identity)).digest('hex').slice(0, 8),
    actions,
    baseline,
  }
}

/**
 * Wraps a bucket's log: the import that follows immediately uses the listing of the plan, which saves a round trip if
 * nothing is new. Local logs are returned unchanged: listing them again costs nothing.
 */
function listedOnce(log: LogStore): LogStore {
  if (log.requests === undefined) return log
  let known: { readonly at: number; readonly entries: readonly LogListingEntry[] } | null = null
  return {
    root: log.root,
    label: log.label,
    requests: log.requests,
    async *list(folder, options) {
      const { after } = options
      if (folder === LOG_FOLDER && known !== null && performance.now() - known.at < FRESH_MS) {
        // Names of a log are ASCII, so JavaScript compares them in the same order as the listing.
        yield* after === undefined ? known.entries : known.entries.filter(({ name }) => name > after)
        return
      }
      known = null
      const isWhole = folder === LOG_FOLDER && after === undefined
      const at = performance.now()
      const entries: LogListingEntry[] = []
      for await (const entry of log.list(folder, options)) {
        if (entries.length <= MOST_ENTRIES) entries.push(entry)
        yield entry
      }
      if (isWhole && entries.length <= MOST_ENTRIES) known = { at, entries }
    },
    read: (path, options) => log.read(path, options),
    head: (path, signal) => log.head(path, signal),
    localFile: (path, signal, options) => log.localFile(path, signal, options),
    prefetch: (paths, options) => log.prefetch?.(paths, options),
  }
}

/** Emits `plan.ready`. */
export function reportPlan(plan: Plan, excluded: readonly string[], run: Run<'plan.ready'>, details: boolean): void {
  const sum = (pick: (line: PlanLine) => string | undefined): bigint =>
    plan.lines.reduce((total, line) => total + BigInt(pick(line) ?? 0), 0n)
  run.emit({
    type: 'plan.ready',
    hash: plan.hash,
    tables: dec(plan.lines.length),
    chunks: dec(sum((line) => line.commits)),
    unit: 'action',
    total: dec(plan.baseline + plan.actions),
    estimated: true,
    bytes: dec(sum((line) => line.logBytes)),
    excluded,
    ...(details ? { details: plan.lines } : {}),
  })
}

type Planned = {
  readonly line: PlanLine
  readonly log: LogStore
  readonly actions: number
  readonly baseline: number
}

type Attempt = { readonly target: PlanTarget } & (
  { readonly planned: Planned; readonly thrown: null } | { readonly planned: null; readonly thrown: unknown }
)

async function planLine(
  target: PlanTarget,
  log: LogStore,
  database: SqlDatabase | null,
  run: Run,
  deep: boolean,
): Promise<Planned> {
  const { interrupt } = run
  const history = logHistory(await listLog(log, { signal: interrupt.abort, attributes: true }))
  const latest = history.commits.at(-1)?.version ?? history.from
  const head = database === null ? null : await readImportHead(database, keyOf(target, log))
  const state = head === null || database === null ? 'broken' : await importCompleteness(database, head)
  const current = state === 'broken' ? null : (head?.currentVersion ?? null)
  const commits = history.commits.filter((commit) => current === null || commit.version > current)
  const checkpointBytes =
    current === null ? (history.checkpoint?.files.reduce((sum, file) => sum + file.size, 0) ?? 0) : 0
  const commitBytes = commits.reduce((sum, commit) => sum + commit.size, 0)
  const estimatedMs = Math.round(
    ((commitBytes + checkpointBytes * CHECKPOINT_FACTOR) / BYTES_A_SECOND) * 1000 + commits.length * MS_A_COMMIT,
  )
  if (deep && database !== null) {
    const tableId = target.tableId ?? head?.tableId ?? defaultTableId(log.root)
    await refuseImport({ database, log, parquet: parquetRows, tableId, moved: target.moved === true, interrupt })
  }
  const facts = deep ? await probeTable(log, parquetRows, interrupt.abort) : null
  if (facts !== null && facts.refusal !== null) throw facts.refusal
  const line: PlanLine = {
    table: target.name,
    location: target.path,
    status: state === 'unfinished' ? 'resume' : current === latest ? 'current' : 'import',
    fromVersion: dec(current === null ? history.from : current + 1),
    toVersion: dec(latest),
    commits: dec(commits.length),
    logBytes: dec(commitBytes + checkpointBytes),
    estimatedMs,
    ...(facts === null || facts.files === null ? {} : { files: dec(facts.files) }),
    ...(facts === null || facts.bytes === null ? {} : { bytes: dec(facts.bytes) }),
    ...(facts === null || facts.rows === null ? {} : { rows: dec(facts.rows) }),
  }
  // For a bucket, three samples would need three requests, which is too expensive for an estimate.
  const perLine = log.requests === undefined ? await bytesALine(log, commits, interrupt.abort) : LINE_BYTES
  const actions = Math.round(commitBytes / perLine + checkpointBytes / CHECKPOINT_ROW_BYTES)
  return { line, log, actions, baseline: state === 'unfinished' ? (head?.cursor?.done ?? 0) : 0 }
}

function keyOf({ tableId, moved }: PlanTarget, { root }: LogStore): CatalogTableKey {
  return tableId === undefined || moved !== true ? { location: root } : { tableId }
}

/** Average bytes of a line, from the beginnings of up to three commits; only for estimates. */
async function bytesALine(log: LogStore, commits: readonly CommitFile[], signal: AbortSignal): Promise<number> {
  let bytes = 0
  let lines = 0
  for (const share of [0.25, 0.5, 0.75]) {
    const commit = commits[Math.floor(commits.length * share)]
    if (commit === undefined) continue
    for await (const chunk of log.read(`_delta_log/${commit.name}`, { end: SAMPLE_BYTES, signal })) {
      bytes += chunk.length
      for (let at = chunk.indexOf(10); at !== -1; at = chunk.indexOf(10, at + 1)) lines++
    }
  }
  return lines === 0 ? LINE_BYTES : bytes / lines
}

type Foreseen = Pick<ImportOptions, 'database' | 'log' | 'parquet' | 'tableId' | 'moved' | 'interrupt'>

/**
 * Throws the error with which an import would fail. Writes nothing and emits no notes.
 * @throws SluiceError as `findStart` and `adoptLocation`: TABLE_ID_TAKEN, NO_SUCH_TABLE, LOG_REWRITTEN, LOG_GAP …
 */
export async function refuseImport(options: Foreseen): Promise<void> {
  const { database, log, interrupt, moved } = options
  const signal = interrupt.abort
  const { start } = await findStart(
    (from) => listLog(log, { signal, attributes: true, ...(from === undefined ? {} : { from }) }),
    { ...options, signal, onNote: () => undefined },
  )
  const before = start.kind === 'fresh' ? undefined : start.head?.location
  if (moved === true && before !== undefined) await database.read((reader) => keysFrom(reader, options, before))
}
