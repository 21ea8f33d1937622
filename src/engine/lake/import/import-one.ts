/** Imports one table into an open catalog and reports it as events: the shared part of `import` and `batch-import`. */
import { importTable, type ImportResult } from '../../../catalog/import/import-table.ts'
import type { ImportOptions, ImportProgress } from '../../../catalog/import/options.ts'
import { readImportHead } from '../../../catalog/import/head.ts'
import { dec } from '../../../model/run/event.ts'
import { asSluiceError, type SluiceError } from '../../../shared/errors.ts'
import type { LogStore } from '../../../model/lake/log-store.ts'
import type { WritableCatalog } from '../catalog-session.ts'
import { runLeaseHolder } from '../../run/holder.ts'
import { newRunId, operatorRun } from '../../run/run-id.ts'
import { openLake, parquetRows } from '../../run/registry.ts'
import { whilePaused } from '../../run/pause.ts'
import type { LakeRun } from './lake-run.ts'
import { defaultTableId } from '../table-id.ts'

export type ImportTarget = {
  /** Display name: the path below the lake, or the path as given. */
  readonly name: string
  readonly path: string
  readonly tableId?: string
  /** The log, if it is open already. */
  readonly log?: LogStore | undefined
  /** Number of the worker that imports the table, from 1. */
  readonly worker: number
}

export type ImportSettings = Pick<
  ImportOptions,
  'batchSize' | 'allowRefused' | 'waitMs' | 'moved' | 'olderCompared' | 'noteFailure'
> & {
  /** Number of versions that the catalog lacked when it was compared with the log; reported if the import fails. */
  readonly behind?: number
  /** Time of the table's first import into the catalog; set if this import only adds new commits. */
  readonly importedAt?: string
}

export type TableOutcome = {
  readonly result: ImportResult | null
  readonly error: SluiceError | null
  readonly ms: number
}

/** Reason in the note about missing older versions, if an earlier import chose the first version. */
const OLDER_UNKNOWN = 'the catalog has no older versions'

/** Shortest time between two progress events of a table, ms. */
const PROGRESS_EVERY_MS = 250

/** Never rejects: errors are in the outcome and in `table.finished`. */
export async function importAndReport(
  catalog: WritableCatalog,
  target: ImportTarget,
  settings: ImportSettings,
  run: LakeRun,
): Promise<TableOutcome> {
  const { clock } = run
  const begun = clock.ticks()
  const elapsed = (): number => Math.round(clock.ticks() - begun)
  const said = new ImportEvents(target, run)
  try {
    const log = target.log ?? (await openLake(target.path))
    // The id in the catalog stays the same, even if the table is now imported under another name.
    const tableId =
      target.tableId ??
      (await readImportHead(catalog.database, { location: log.root }))?.tableId ??
      defaultTableId(log.root)
    const { batchSize, allowRefused, waitMs, moved = false, olderCompared = false, noteFailure = true } = settings
    const result = await importTable({
      database: catalog.database,
      indexes: catalog.indexes,
      log,
      parquet: parquetRows,
      tableId,
      moved,
      olderCompared,
      batchSize,
      allowRefused,
      interrupt: run.interrupt,
      clock,
      holder: runLeaseHolder(run),
      waitMs,
      noteFailure,
      importId: newRunId(clock),
      ...(run.sharedRun === undefined ? {} : { sharedRun: operatorRun(run.runId, run.sharedRun) }),
      onStart: (start) => said.started(start),
      onProgress: (progress) => said.progressed(progress),
      whilePaused: () => whilePaused(run),
      onNote: (message) => said.note(message),
    })
    const ms = elapsed()
    said.finished(result, ms)
    return { result, error: null, ms }
  } catch (thrown) {
    const error = asSluiceError(thrown)
    const ms = elapsed()
    run.emit({
      type: 'table.finished',
      table: target.name,
      location: target.path,
      status: error.kind === 'unsupported' ? 'refused' : error.kind === 'stopped' ? 'stopped' : 'failed',
      ...(settings.behind === undefined ? {} : { behind: dec(settings.behind) }),
      ...(settings.importedAt === undefined ? {} : { importedAt: settings.importedAt }),
      ms,
      error: error.info(),
    })
    return { result: null, error, ms }
  }
}

/** Emits the progress of one import. */
class ImportEvents {
  readonly #target: ImportTarget
  readonly #run: LakeRun
  readonly #notes: string[] = []
  #chunk = 'log'
  reportedAt = -Infinity
  /** Actions that an earlier run imported. They are in the baseline of `run.started`, so events here omit them. */
  #before = 0
  #actions = 0

  constructor(target: ImportTarget, run: LakeRun) {
    this.#target = target
    this.#run = run
  }

  started({ fromVersion, toVersion, done, total, shared, resumed }: Parameters<ImportOptions['onStart']>[0]): void {
    const { name: table, path: location, worker } = this.#target
    const { emit } = this.#run
    this.#before = done
    this.#chunk = `v${fromVersion}..v${toVersion}`
    emit({ type: 'table.started', table, location, fromVersion: dec(fromVersion), toVersion: dec(toVersion) })
    if (resumed && done > 0)
      emit({ type: 'log', level: 'note', table, message: `resumed: ${done} actions are in the catalog already` })
    emit({
      type: 'chunk.started',
      table,
      chunk: this.#chunk,
      worker,
      total: dec(total - done),
      ...(shared === 0 ? {} : { earlier: dec(shared) }),
      unit: 'action',
    })
  }

  progressed({ done, total }: ImportProgress): void {
    const { name: table, worker } = this.#target
    this.#actions = done - this.#before
    const now = this.#run.clock.ticks()
    if (now - this.reportedAt < PROGRESS_EVERY_MS) return
    this.reportedAt = now
    const all = dec(total - this.#before)
    const chunk = this.#chunk
    this.#run.emit({
      type: 'chunk.progress',
      table,
      chunk,
      worker,
      done: dec(this.#actions),
      total: all,
      unit: 'action',
    })
  }

  note(message: string): void {
    this.#notes.push(message)
    this.#run.emit({ type: 'log', level: 'note', table: this.#target.name, message })
  }

  finished({ status, historyFrom, cutOff, actions, version, files, bytes }: ImportResult, ms: number): void {
    const { name: table, path: location, worker } = this.#target
    const { emit } = this.#run
    const notes = this.#notes
    if (status === 'completed') {
      // `cutOff` is undefined if an earlier import chose the first version; a prune may have removed versions since.
      const why = cutOff === undefined ? OLDER_UNKNOWN : (cutOff ?? 'the log has no older versions')
      if ((historyFrom ?? 0) > 0 && actions > 0) notes.push(`answers from v${historyFrom}: ${why}`)
      emit({ type: 'chunk.done', table, chunk: this.#chunk, worker, done: dec(this.#actions), unit: 'action', ms })
    }
    emit({
      type: 'table.finished',
      table,
      location,
      status: status === 'completed' ? 'ok' : status,
      ms,
      ...(version === null ? {} : { version: dec(version) }),
      ...(historyFrom === null ? {} : { historyFrom: dec(historyFrom) }),
      files: dec(files),
      bytes: dec(bytes),
      actions: dec(actions),
      ...(notes.length === 0 ? {} : { notes }),
    })
  }
}
