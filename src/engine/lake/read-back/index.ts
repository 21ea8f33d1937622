/**
 * Reads an exported log with sluice's own reader before it is published, and compares sampled versions with the
 * catalog. A log that this reader refuses or reads differently is never published.
 */
import type { ReadableTable } from '../../../catalog/catalog.ts'
import { countsAt } from '../../../catalog/query/counts.ts'
import { stateAt } from '../../../catalog/query/state.ts'
import { SOURCE } from '../../../catalog/relations.ts'
import { LAST_CHECKPOINT, parseLogName } from '../../../delta/log-path.ts'
import { retentionOf } from '../../../delta/retention.ts'
import { DeltaTable } from '../../../delta/table.ts'
import { dec, type Emit } from '../../../model/run/event.ts'
import type { LogStore } from '../../../model/lake/log-store.ts'
import { SluiceError } from '../../../shared/errors.ts'
import type { SqlReader } from '../../../model/run/sql-port.ts'
import { parquetRows } from '../../run/registry.ts'
import { catalogFacts } from './catalog-facts.ts'
import { relocatedLog } from './relocated-log.ts'
import { compareFacts, type ComparedFacts, type FactDifference } from './fact-sums.ts'
import { logFacts } from './log-facts.ts'
import { FIELDS, type What } from './version-facts.ts'

/** Maximum number of versions that are read. */
const MOST_VERSIONS = 8
/**
 * Limit for the files of all sampled versions except the last: this number, or half of the files of the last version
 * if that is larger.
 */
const FEW_FILES = 50_000
/** Maximum number of differences that are shown; all are counted. */
const MOST_SHOWN = 1000
const MOST_TEXT = 400
const SIDES = ['export', 'catalog'] as const

export type ExportedLog = {
  /** Folder of the finished files, which have the names of a `_delta_log`. */
  readonly folder: string
  readonly table: ReadableTable
  /** Versions that have a checkpoint. */
  readonly checkpoints: readonly number[]
  /** True if the first checkpoint replaces all older commits. */
  readonly based: boolean
  /** Name of the table in events. */
  readonly subject: string
  readonly nowMs: number
}

export type ReadBack = {
  readonly checks: number
  readonly differences: number
  /** Text that says what was compared. */
  readonly proof: string
}

/** @throws SluiceError TARGET_CORRUPT if the reader refuses the log; errors of the catalog's database unchanged */
export async function readBack(
  exported: ExportedLog,
  reader: SqlReader,
  emit: Emit<'verify.check' | 'verify.mismatch' | 'log'>,
  signal: AbortSignal,
): Promise<ReadBack> {
  const { table, folder } = exported
  const { historyFrom, latest, location } = table
  try {
    const comparison = new Comparison(exported, reader, emit, signal)
    const log = await relocatedLog(folder, location)
    const back = await DeltaTable.open(log, parquetRows, signal)
    const run = await back.buildableHistory(signal)
    if (back.latest !== latest || run.from > historyFrom) {
      throw new Error(
        `it holds versions ${run.from} to ${back.latest} without a gap, instead of ${historyFrom} to ${latest}`,
      )
    }
    const versions = await sampledVersions(reader, table)
    for (const version of versions) await comparison.of(back, version)
    const twice = isBuildableWithout(exported)
    if (twice)
      await comparison.of(
        await DeltaTable.open(withoutCheckpoints(log, latest), parquetRows, signal),
        latest,
        ' by commits',
      )
    return {
      checks: comparison.checks,
      differences: comparison.differences,
      proof: `read back at ${versions.map((v) => `v${v}`).join(' ')} of ${latest - historyFrom + 1} versions${twice ? `, v${latest} without its checkpoint too` : ''}: ${WHAT}`,
    }
  } catch (error) {
    const own = error instanceof SluiceError && !['source', 'unsupported', 'usage'].includes(error.kind)
    if (signal.aborted || own) throw error
    throw new SluiceError('TARGET_CORRUPT', 'the log written from the catalog cannot be read as this table', {
      where: location,
      reason: error instanceof Error ? error.message : String(error),
      hint: 'run sluice validate TABLE to see what is wrong with the catalog; nothing was written',
      cause: error,
    })
  }
}

const WHAT =
  'paths, deletion vectors, sizes, times, partition values, statistics, tags and row ids of all files, removes that have not expired, protocol, metadata, transactions, domains and totals'

class Comparison {
  readonly #exported: ExportedLog
  readonly #reader: SqlReader
  readonly #emit: Emit<'verify.check' | 'verify.mismatch' | 'log'>
  readonly #signal: AbortSignal
  checks = 0
  differences = 0
  #shown = 0

  constructor(
    exported: ExportedLog,
    reader: SqlReader,
    emit: Emit<'verify.check' | 'verify.mismatch' | 'log'>,
    signal: AbortSignal,
  ) {
    this.#exported = exported
    this.#reader = reader
    this.#emit = emit
    this.#signal = signal
  }

  /**
   * Compares one version of a log. An unreadable checkpoint is a failure here; readers would use an older checkpoint.
   * @param how suffix of the checks' names
   */
  async of(log: DeltaTable, version: number, how = ''): Promise<void> {
    const { table, based } = this.#exported
    const snapshot = await log.snapshot({ version }, { allowRefused: true, signal: this.#signal })
    const checkpoint = snapshot.segment.checkpoint?.version ?? -1
    const expired = await this.#expired(version, checkpoint)
    const left = await logFacts(snapshot, expired, this.#signal)
    const baseSource = based ? await this.#baseSource() : SOURCE.commit
    const at = { table, version, checkpoint, baseSource, expired }
    const right = await catalogFacts(this.#reader, at, this.#signal)
    const commits = `${snapshot.segment.commits.length} commit${snapshot.segment.commits.length === 1 ? '' : 's'}`
    const witness = checkpoint === -1 ? commits : `checkpoint ${checkpoint} and ${commits}`
    for (const what of Object.keys(FIELDS) as What[]) {
      const found = await compareFacts(left[what], right[what])
      this.report({ version, what, check: what + how, witness }, found)
    }
    if (log.notes.length > 0) throw new Error(log.notes.join('; '))
  }

  report(
    { version, what, check, witness }: { version: number; what: What; check: string; witness: string },
    found: ComparedFacts,
  ): void {
    const { differences, unnamed } = found
    const head = { table: this.#exported.subject, version: dec(version), check } as const
    const equal = differences.length === 0 && unnamed === 0
    this.checks++
    this.differences += differences.length + unnamed
    this.#emit({
      type: 'verify.check',
      ...head,
      equal,
      log: dec(found.left),
      catalog: dec(found.right),
      witness,
      sides: SIDES,
    })
    for (const difference of differences) {
      if (this.#shown++ >= MOST_SHOWN) break
      this.#emit({ type: 'verify.mismatch', ...head, ...shownDifference(difference, FIELDS[what]), sides: SIDES })
    }
    if (unnamed === 0) return
    const message = `v${version} ${check}: differences in ${unnamed} more of 1,024 groups of entries are not listed`
    this.#emit({ type: 'log', level: 'warn', message })
  }

  /**
   * Time before which removes are not compared, ms. A checkpoint lacks removes that had expired when it was written. If
   * a later version has a longer retention, the shorter one is used.
   */
  async #expired(version: number, checkpoint: number): Promise<number> {
    const { table, nowMs } = this.#exported
    const kept: number[] = []
    for (const at of checkpoint === -1 ? [version] : [version, checkpoint]) {
      kept.push(retentionOf((await stateAt(this.#reader, table.tableId, at)).metadata))
    }
    return nowMs - Math.min(...kept)
  }

  async #baseSource(): Promise<number> {
    const { tableId, historyFrom } = this.#exported.table
    const own = 'SELECT 1 FROM delta_actions WHERE table_id = ? AND version = ? AND source = 1 LIMIT 1'
    return (await this.#reader.all(own, [tableId, historyFrom])).length > 0 ? SOURCE.checkpoint : SOURCE.commit
  }
}

/** Versions to read: the first, the last (most readers use it), and evenly spaced ones between, within the limits. */
async function sampledVersions(
  reader: SqlReader,
  { tableId, historyFrom, latest }: ReadableTable,
): Promise<readonly number[]> {
  const most = Math.min(MOST_VERSIONS, latest - historyFrom + 1)
  for (let count = most; count > 2; count--) {
    const versions = evenlySpaced(historyFrom, latest, count)
    let files = 0
    for (const version of versions.slice(1)) files += (await countsAt(reader, tableId, version)).files
    if (files <= Math.max(FEW_FILES, (await countsAt(reader, tableId, latest)).files / 2)) return versions
  }
  return evenlySpaced(historyFrom, latest, Math.min(2, most))
}

function evenlySpaced(from: number, latest: number, count: number): readonly number[] {
  if (count === 1) return [latest]
  return Array.from({ length: count }, (_, i) => Math.round(latest - (i * (latest - from)) / (count - 1)))
}

/** True if the last version can also be built without its own checkpoint. */
function isBuildableWithout({ checkpoints, based, table: { historyFrom, latest } }: ExportedLog): boolean {
  return checkpoints.includes(latest) && !(based && latest === historyFrom)
}

function shownDifference(
  { key, field, left, right }: FactDifference,
  fields: readonly string[],
): { readonly path?: string; readonly field: string; readonly log: string; readonly catalog: string } {
  const cut = (value: string | null): string =>
    value === null ? '' : value.length > MOST_TEXT ? `${value.slice(0, MOST_TEXT)}…` : value
  const path = key === '' ? {} : { path: key }
  if (field === null) return { ...path, field: '', log: left ?? 'absent', catalog: right ?? 'absent' }
  return { ...path, field: fields[field] ?? '', log: cut(left), catalog: cut(right) }
}

/** The log without checkpoints of a version and without `_last_checkpoint`. */
function withoutCheckpoints(log: LogStore, version: number): LogStore {
  const isHidden = (name: string): boolean => {
    const path = parseLogName(name)
    return name === LAST_CHECKPOINT || (path?.kind === 'checkpoint' && path.version === version)
  }
  return {
    ...log,
    list: async function* (path, options) {
      for await (const entry of log.list(path, options)) if (!isHidden(entry.name)) yield entry
    },
  }
}
