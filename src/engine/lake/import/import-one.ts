/** Imports one table into an open catalog and tells it as events: the part that `import` and `batch-import` share. */
import { importTable, type ImportResult } from '../../../catalog/import/import-table.ts'
import { readHead } from '../../../catalog/import/head.ts'
import { dec } from '../../../model/run/event.ts'
import { asSluiceError, type SluiceError } from '../../../shared/errors.ts'
import type { LogStore } from '../../../model/lake/log-store.ts'
import type { SqlReader } from '../../../model/run/sql-port.ts'
import type { WritableCatalog } from '../catalog-session.ts'
import { holderOf } from '../../run/holder.ts'
import { newRunId, operatorRun } from '../../run/run-id.ts'
import { openLake, parquetRows } from '../../run/registry.ts'
import { whilePaused } from '../../run/pause.ts'
import type { LakeRun } from './lake-run.ts'
import { defaultTableId } from '../table-id.ts'

export type ImportTarget = {
  /** Name for people: the path below the lake, or the path as given. */
  readonly name: string
  readonly path: string
  readonly tableId?: string
  /** The log, where it is open already. */
  readonly log?: LogStore | undefined
  /** Lane that works on it, from 1. */
  readonly worker: number
}

export type ImportSettings = {
  readonly batchSize: number
  readonly allowRefused: boolean
  readonly waitMs: number
  /** The catalog may have the table of that id at another place, and follows it. */
  readonly moved?: boolean
  /** The commits below the known version were compared with the log's already. */
  readonly olderCompared?: boolean
  /** False: a failure before anything was written leaves no row in `migration_status`. */
  readonly noteFailure?: boolean
  /** Versions that the log had and the catalog had not when somebody looked; told where they cannot be brought. */
  readonly behind?: number
  /** When the catalog got the table; for an import that brings what is new. */
  readonly importedAt?: string
}

export type TableOutcome = {
  readonly result: ImportResult | null
  readonly error: SluiceError | null
  readonly ms: number
}

/** At most this many progress events a second and table. */
const PROGRESS_EVERY_MS = 250

/** Never rejects: what went wrong is in the outcome and in `table.finished`. */
export async function importAndTell(
  catalog: WritableCatalog,
  target: ImportTarget,
  settings: ImportSettings,
  run: LakeRun,
): Promise<TableOutcome> {
  const { emit, clock, interrupt } = run
  const begun = clock.ticks()
  const notes: string[] = []
  let chunk = 'log'
  let told = -Infinity
  let actions = 0
  let before = 0
  try {
    const log = target.log ?? (await openLake(target.path))
    const tableId = target.tableId ?? (await knownTableId(catalog.database, log)) ?? defaultTableId(log.root)
    const result = await importTable({
      database: catalog.database,
      indexes: catalog.indexes,
      log,
      parquet: parquetRows,
      tableId,
      moved: settings.moved ?? false,
      olderCompared: settings.olderCompared ?? false,
      batchSize: settings.batchSize,
      allowRefused: settings.allowRefused,
      interrupt,
      clock,
      holder: holderOf(run),
      waitMs: settings.waitMs,
      noteFailure: settings.noteFailure ?? true,
      importId: newRunId(clock),
      ...(run.sharedRun === undefined ? {} : { sharedRun: operatorRun(run.runId, run.sharedRun) }),
      onStart: (start) => {
        before = start.done
        chunk = `v${start.fromVersion}..v${start.toVersion}`
        emit({
          type: 'table.started',
          table: target.name,
          location: target.path,
          fromVersion: dec(start.fromVersion),
          toVersion: dec(start.toVersion),
        })
        if (start.resumed && start.done > 0) {
          emit({
            type: 'log',
            level: 'note',
            table: target.name,
            message: `resumed: ${start.done} actions are in the catalog already`,
          })
        }
        emit({
          type: 'chunk.started',
          table: target.name,
          chunk,
          worker: target.worker,
          total: dec(start.total - start.done),
          ...(start.shared === 0 ? {} : { earlier: dec(start.shared) }),
          unit: 'action',
        })
      },
      onProgress: (progress) => {
        actions = progress.done - before
        const now = clock.ticks()
        if (now - told < PROGRESS_EVERY_MS) return
        told = now
        emit({
          type: 'chunk.progress',
          table: target.name,
          chunk,
          worker: target.worker,
          // Counted from where this run began: what an earlier one did is the baseline of run.started.
          done: dec(progress.done - before),
          total: dec(progress.total - before),
          unit: 'action',
        })
      },
      whilePaused: () => whilePaused(run),
      onNote: (message) => {
        notes.push(message)
        emit({ type: 'log', level: 'note', table: target.name, message })
      },
    })
    const ms = Math.round(clock.ticks() - begun)
    if (result.status === 'completed') {
      if ((result.historyFrom ?? 0) > 0 && result.actions > 0)
        notes.push(`answers from v${result.historyFrom}: the log holds nothing older`)
      emit({
        type: 'chunk.done',
        table: target.name,
        chunk,
        worker: target.worker,
        done: dec(actions),
        unit: 'action',
        ms,
      })
    }
    emit({
      type: 'table.finished',
      table: target.name,
      location: target.path,
      status: result.status === 'completed' ? 'ok' : result.status,
      ms,
      ...(result.version === null ? {} : { version: dec(result.version) }),
      ...(result.historyFrom === null ? {} : { historyFrom: dec(result.historyFrom) }),
      files: dec(result.files),
      bytes: dec(result.bytes),
      actions: dec(result.actions),
      ...(notes.length === 0 ? {} : { notes }),
    })
    return { result, error: null, ms }
  } catch (thrown) {
    const error = asSluiceError(thrown)
    const ms = Math.round(clock.ticks() - begun)
    emit({
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

/** A table that is in the catalog keeps its id, whatever it was called when it was first imported. */
async function knownTableId(reader: SqlReader, log: LogStore): Promise<string | null> {
  return (await readHead(reader, { location: log.root }))?.tableId ?? null
}
