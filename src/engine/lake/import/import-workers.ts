/**
 * Workers of a batch: several tables at a time, largest first. Small tables are imported in this thread: while one
 * import waits for its database, another one reads its log. A large table needs a core for parsing, so its worker gets
 * a thread, as far as cores and memory allow.
 */
import { availableParallelism } from 'node:os'
import type { WritableCatalog } from '../catalog-session.ts'
import type { LakeRun } from './lake-run.ts'
import { ImportThread } from './import-thread.ts'
import { importAndReport, type ImportSettings, type ImportTarget, type TableOutcome } from './import-one.ts'
import { inWorkers } from '../in-workers.ts'

/** Maximum number of workers if the user can change it during the run. */
const MAX_WORKERS = 16
/** Minimum bytes of log of a large table: starting a thread takes as long as parsing some megabytes. */
const LARGE_LOG_BYTES = 16 * 2 ** 20
/** Rough upper bound of memory for the import of a large table. */
const THREAD_BYTES = 400 * 2 ** 20

/** Which tables are given to threads; defaults: the constants above and `threadsFor`. */
export type ThreadOptions = {
  /** Tables with at least this many bytes of log are large. */
  readonly largeLogBytes?: number
  /** Maximum number of threads. */
  readonly threads?: number
  /** Program of the threads. */
  readonly entry?: URL
}

export type ImportTableTarget = Omit<ImportTarget, 'worker'> & { readonly logBytes: number }

export type NamedOutcome = TableOutcome & { readonly name: string }

/** @returns outcomes of the tables that were started; a stopped run leaves out the others */
export async function importInWorkers(
  catalog: WritableCatalog,
  url: string,
  targets: readonly ImportTableTarget[],
  parallel: number,
  settings: ImportSettings,
  run: LakeRun,
  split: ThreadOptions = {},
): Promise<readonly NamedOutcome[]> {
  // Largest first, so that no large table begins when the other workers are about to finish.
  const queue = targets.toSorted((a, b) => b.logBytes - a.logBytes)
  const outcomes: NamedOutcome[] = []
  const asked = run.control === undefined || run.control.fixedApplyWorkers === true ? parallel : MAX_WORKERS
  const workers = Math.max(1, Math.min(asked, targets.length))
  const threads = new Map<number, ImportThread>()
  const largeLogBytes = split.largeLogBytes ?? LARGE_LOG_BYTES
  let freeThreads = split.threads ?? threadsFor(catalog, workers)

  const threadOf = async (worker: number): Promise<ImportThread | null> => {
    const known = threads.get(worker)
    if (known?.isAlive === true) return known
    if (known !== undefined) {
      threads.delete(worker)
      freeThreads++
    }
    if (freeThreads <= 0) return null
    freeThreads--
    const thread = new ImportThread(url, run, split.entry)
    threads.set(worker, thread)
    if ((await thread.opened) === null) return thread
    // The server accepts no further connection: import in the main thread, over its connection. If the server is down,
    // the import reports this.
    threads.delete(worker)
    freeThreads = 0
    await thread.close()
    return null
  }
  const importOne = async ({ logBytes, log, ...target }: ImportTableTarget, worker: number): Promise<TableOutcome> => {
    // A table in a bucket gets no thread: its log is open and listed already, and its import waits more than it parses.
    const large = logBytes >= largeLogBytes && log?.root.startsWith('s3:') !== true
    const thread = large ? await threadOf(worker) : null
    if (thread === null) return importAndReport(catalog, { ...target, log, worker }, settings, run)
    catalog.indexes.loaded()
    return thread.import({ ...target, worker }, settings)
  }
  try {
    await inWorkers(queue, workers, run, async (target, worker) => {
      outcomes.push({ ...(await importOne(target, worker)), name: target.name })
    })
  } finally {
    await Promise.all([...threads.values()].map((thread) => thread.close()))
  }
  return outcomes
}

/**
 * Number of threads. 0 for a single worker, which runs in this thread. 0 if only one writer at a time can use the
 * database: two tables of 45 MB in SQLite took longer with threads, and a thread fails if another one locks the file
 * for ten seconds. Workers of the same thread take turns instead.
 */
function threadsFor(catalog: WritableCatalog, workers: number): number {
  if (workers === 1 || !catalog.database.parallelWrites) return 0
  return Math.max(0, Math.min(workers, availableParallelism(), Math.floor(process.availableMemory() / THREAD_BYTES)))
}
