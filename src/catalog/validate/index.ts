/**
 * Compares the catalog with the log. DuckDB reads and replays the log in SQL. The catalog's rows are loaded too, and
 * both are compared as sets: every file lifetime, commit and line, at the latest version and at older ones. Then
 * checksum files, `_last_checkpoint` and chosen checkpoints are compared with the replay, and ranges with the
 * statistics from which they were built.
 */
import { againAfterCleanup, removedFile } from '../../delta/removed-files.ts'
import type { LogStore } from '../../model/lake/log-store.ts'
import type { Emit } from '../../model/run/event.ts'
import { throwIfAborted, type Interrupt } from '../../shared/abort.ts'
import { asSluiceError } from '../../shared/errors.ts'
import type { SqlDatabase } from '../../model/run/sql-port.ts'
import {
  compareActions,
  compareActive,
  commitsComparison,
  compareFileLifetimes,
  comparePartitionRows,
  comparePartitions,
  type VersionRange,
} from './checks.ts'
import { beganAtBase, checkHead, checkImport, importedHead, hideUnfinished } from './head.ts'
import { loadCatalog } from './load-catalog.ts'
import { loadLog, type LoadedLog } from './load-window.ts'
import { LongLines } from './long-lines.ts'
import { checkRanges } from './ranges.ts'
import { commitsOnlyInCopy, onlyInCatalogText } from '../only-in-catalog.ts'
import { noteDoubled, notePartitions } from './partition-notes.ts'
import {
  DOUBLED_IN_BASE,
  logDomainsAt,
  logMetadataAt,
  logProtocolAt,
  logTxnsAt,
  REPLAY,
  misreadFilesAt,
  UNTIMELY,
} from './replay-sql.ts'
import { Report } from './report.ts'
import { prepareScratch, runAll } from './scratch.ts'
import { compareParsed, compareState, PARSED_KINDS } from './state-checks.ts'
import { checkCheckpoints, type CheckpointsInspected } from './checkpoints.ts'
import { checkCrc, checkLastCheckpoint } from './cross-checks.ts'

export type ValidationOptions = {
  readonly catalog: SqlDatabase
  readonly tableId: string
  readonly log: LogStore
  /** A fresh, empty DuckDB in memory; it is closed when the validation ends. */
  readonly scratch: () => Promise<SqlDatabase>
  /** Number of older versions to check in addition to the latest. */
  readonly samples: number
  /** Maximum number of checkpoints to compare with the commits; Infinity: all. */
  readonly checkpoints: number
  /** ms since the epoch; decides what has expired from a checkpoint. */
  readonly now: number
  /** Returns a number from 0 to below 1, with which versions and checkpoints are chosen. */
  readonly random: () => number
  readonly interrupt: Interrupt
  readonly emit: Emit<'verify.check' | 'verify.mismatch' | 'log'>
  /** The table's name in events. */
  readonly table: string
}

export type ValidationResult = {
  /** The catalog's current version, which was checked. */
  readonly version: number
  /** All versions whose whole state was compared, ascending. */
  readonly versions: readonly number[]
  readonly checks: number
  readonly differences: number
  readonly checkpoints: CheckpointsInspected
  /** Number of differences that are only commit times: copies of a folder have other file times. */
  readonly timeDifferences: number
  /** Number of differences from checksum files, `_last_checkpoint` and checkpoints. */
  readonly witnessDifferences: number
  /** Compared files of the log: `_delta_log`, checksum files, checkpoints. */
  readonly witnesses: readonly string[]
  readonly notes: readonly string[]
}

const LOG = '_delta_log'
const STATE_AT = {
  protocol: logProtocolAt,
  metaData: logMetadataAt,
  txn: logTxnsAt,
  domainMetadata: logDomainsAt,
} as const

/**
 * Compares a table in the catalog with its log. Differences are emitted and counted, not thrown.
 * @throws SluiceError NOT_IMPORTED, IMPORT_UNFINISHED; NO_LOG, LOG_GAP, BAD_ACTION, BAD_CHECKPOINT if the log itself
 * cannot be read; errors of the stores; the interrupt's reason
 */
export async function validateTable(options: ValidationOptions): Promise<ValidationResult> {
  // The whole log is loaded before the first event, and no later read throws SOURCE_GONE: no event is emitted twice.
  return await againAfterCleanup(() => compareOnce(options))
}

async function compareOnce(options: ValidationOptions): Promise<ValidationResult> {
  const long = new LongLines(options.tableId, options.log.label)
  try {
    return await compareTable(options, long)
  } catch (thrown) {
    throw long.explain(thrown)
  }
}

async function compareTable(options: ValidationOptions, long: LongLines): Promise<ValidationResult> {
  const { catalog, tableId, log, interrupt, emit, table } = options
  const signal = interrupt.abort
  await using scratch = await options.scratch()
  await prepareScratch(scratch)
  await loadCatalog(catalog, scratch, tableId, log.root, long, signal)
  const head = await importedHead(scratch, tableId)
  if (head.cursor !== null) await runAll(scratch, hideUnfinished(head))
  const report = new Report(scratch, table, emit)
  throwIfAborted(interrupt.stop)

  const loaded = await loadLog(log, scratch, head.version, long, signal)
  throwIfAborted(interrupt.stop)
  await runAll(scratch, REPLAY)
  const { start } = loaded.window
  const gone = start === head.historyFrom ? await leaveOutCleaned(scratch, loaded, report) : []
  const range: VersionRange = {
    from: Math.max(start, head.historyFrom),
    version: head.version,
    sameStart: start === head.historyFrom && !gone.includes(start) && (await hasSameStart(scratch, loaded)),
  }
  if (start > head.historyFrom)
    report.notes.push(`the log now begins at version ${start}; older versions are only in the catalog`)
  if (start < head.historyFrom)
    report.notes.push(`the catalog begins at version ${head.historyFrom}; the log still has older ones`)
  if (loaded.folder.latest > head.version) {
    report.notes.push(`the log has reached version ${loaded.folder.latest}; version ${head.version} was checked`)
  }

  const { compacted } = loaded.folder
  if (compacted > 0) {
    const files = compacted === 1 ? 'one log compaction file was' : `${compacted} log compaction files were`
    report.notes.push(`${files} not compared: sluice fsck TABLE compares them with their commits`)
  }

  const [marked, ...others] = loaded.marked
  if (marked !== undefined) {
    const more = others.length === 0 ? 'begins' : `and ${others.length} more begin`
    report.notes.push(
      `${marked} ${more} with a byte order mark: delta-spark skips it, deltalake, DuckDB and others on delta-kernel refuse the table unless a checkpoint is at or above it`,
    )
  }

  await checkRelations(report, range)
  await checkHead(report, head, log.root, range.sameStart)
  await checkImport(report, scratch, head)
  await checkRanges(report, catalog, tableId, head.version, signal)
  const versions = chooseVersions(range, options.samples, options.random)
  for (const version of versions) {
    throwIfAborted(interrupt.stop)
    await checkVersion(report, version, range)
  }

  await noteSpellings(scratch, report, head.version)
  await notePartitions(scratch, report, head.version)
  await noteDoubled(scratch, report, tableId)
  await noteBase(scratch, report)
  await noteTimes(scratch, report)
  const ofCatalog = report.differences
  const at = { log, scratch, report, signal }
  for (const version of versions) {
    if (!loaded.folder.crcs.has(version)) continue
    await checkCrc(at, version).catch((error: unknown) => {
      const file = removedFile(error)
      if (file === null) throw error
      report.notes.push(`${file} was removed meanwhile and was not compared`)
    })
  }
  // In a store with folders, the listing leaves out a folder named `_last_checkpoint`. So always try to read this name:
  // a folder then causes an error, which becomes a note.
  if (loaded.folder.hasLastCheckpoint || log.requests === undefined) {
    await checkLastCheckpoint(at, loaded.folder, range.from, range.version).catch((error: unknown) => {
      const failed = asSluiceError(error)
      if (failed.code === 'SOURCE_GONE') return
      report.notes.push(`_last_checkpoint was not compared: ${failed.message}`)
    })
  }
  const checkpoints = await checkCheckpoints(
    { log, scratch, report, interrupt },
    loaded,
    options.checkpoints,
    options.random,
    options.now,
  )
  return {
    version: head.version,
    versions,
    checks: report.checks,
    differences: report.differences,
    timeDifferences: await report.countTimeDifferences(),
    checkpoints,
    witnessDifferences: report.differences - ofCatalog,
    witnesses: [...report.witnesses],
    notes: report.notes,
  }
}

/**
 * Leaves out commits at or below the base that only the catalog has: a cleanup removed them from the log, which is no
 * difference.
 * @returns their versions
 */
async function leaveOutCleaned(
  scratch: SqlDatabase,
  { window, folder }: LoadedLog,
  report: Report,
): Promise<readonly number[]> {
  const { start, base } = window
  if (base === null) return []
  const gone = await commitsOnlyInCopy(scratch, start, folder.commits)
  if (gone.length === 0) return []
  const older = gone.filter((version) => version < start).map((version) => `'${version}'`)
  if (older.length > 0)
    await runAll(scratch, [`DELETE FROM cat_actions WHERE source = '0' AND version IN (${older.join(', ')})`])
  report.notes.push(
    `${onlyInCatalogText(gone)}: a log cleanup removed ${gone.length === 1 ? 'it' : 'them'}; sluice export-log TABLE --to FOLDER writes all commits that the catalog has`,
  )
  return gone
}

/**
 * True if both sides begin with a checkpoint, or both with a commit. A catalog can begin with checkpoint 0 only if the
 * log has one: otherwise rows with this source are damaged, and must be compared.
 */
async function hasSameStart(scratch: SqlDatabase, { window, folder }: LoadedLog): Promise<boolean> {
  const { start, base } = window
  if (base === null && !folder.checkpoints.some(({ version }) => version === start)) return true
  return (await beganAtBase(scratch, start)) === (base !== null)
}

/** Notes paths with several spellings: the catalog decodes paths, and other readers may see other files. */
async function noteSpellings(scratch: SqlDatabase, report: Report, version: number): Promise<void> {
  const [row] = await scratch.all(misreadFilesAt(version))
  const count = Number(row?.[0] ?? 0)
  if (count === 0) return
  const files = count === 1 ? 'one file is' : `${count} files are`
  report.notes.push(
    `${files} spelled in several ways in the commits: readers that compare undecoded paths see other files at version ${version}, unless a checkpoint resolved this; sluice fsck TABLE names both readings`,
  )
}

/** Notes files that the base checkpoint lists twice: log and catalog agree, but its writer did not intend it. */
async function noteBase(scratch: SqlDatabase, report: Report): Promise<void> {
  const [row] = await scratch.all(DOUBLED_IN_BASE)
  const count = Number(row?.[0] ?? 0)
  if (count === 0) return
  const more = count === 1 ? '' : `, like ${count - 1} more`
  report.notes.push(
    `checkpoint ${String(row?.[2])} lists ${String(row?.[1])} twice: readers have its rows twice until a commit removes it${more}; sluice fsck TABLE names each`,
  )
}

/** Notes times that do not increase: log and catalog agree, but readers may disagree on the version at a time. */
async function noteTimes(scratch: SqlDatabase, report: Report): Promise<void> {
  const [row] = await scratch.all(UNTIMELY)
  const count = Number(row?.[0] ?? 0)
  if (count === 0) return
  const first = String(row?.[1])
  const times =
    count === 1
      ? `the in-commit timestamp of version ${first} is not later than that of the version before`
      : `${count} in-commit timestamps are not later than that of the version before, the first of them in version ${first}`
  report.notes.push(`${times}: readers may find different versions for one time; sluice fsck TABLE names each`)
}

/** Compares every row of every relation. */
async function checkRelations(report: Report, range: VersionRange): Promise<void> {
  const { version } = range
  await report.compare(version, 'files', LOG, compareFileLifetimes(range))
  await report.compare(version, 'commits', LOG, [commitsComparison(range)])
  await report.compare(version, 'actions', LOG, compareActions(range))
  for (const kind of PARSED_KINDS) {
    const comparison = compareParsed(kind, range)
    await report.compare(version, comparison.check, LOG, [comparison])
  }
  await report.compare(version, 'partitions', LOG, [comparePartitions, comparePartitionRows])
}

/** Compares the whole state of one version; log and catalog compute the state by different rules. */
async function checkVersion(report: Report, version: number, range: VersionRange): Promise<void> {
  await report.compare(version, 'active files', LOG, [compareActive(version)])
  for (const kind of PARSED_KINDS) {
    // Transactions may expire from a checkpoint; the catalog keeps them.
    const given = !range.sameStart && kind === 'txn'
    const check = `${kind} in force`
    await report.compare(version, check, LOG, [compareState(kind, version, STATE_AT[kind](version), check, given)])
  }
}

/** The latest version, the first, the one before the latest, and random others. */
export function chooseVersions(
  range: { from: number; version: number },
  samples: number,
  random: () => number,
): readonly number[] {
  const { from, version } = range
  const all = version - from + 1
  if (all <= samples + 1) return Array.from({ length: all }, (_, i) => from + i)
  const chosen = new Set([version])
  for (const one of [from, version - 1]) if (one >= from && chosen.size <= samples) chosen.add(one)
  // Twice as many draws as needed: a draw may repeat a chosen version.
  for (let draw = 0; draw < samples * 2 && chosen.size <= samples && chosen.size < all; draw++) {
    chosen.add(from + Math.min(all - 1, Math.floor(random() * all)))
  }
  return [...chosen].toSorted((a, b) => a - b)
}
