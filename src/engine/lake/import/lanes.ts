/**
 * The lanes of a batch: several tables at a time, largest first. Small tables are imported in this thread, where one waits for its database while
 * another is read; a large one takes a core to parse, so its lane has a thread, as far as cores and memory go round.
 */
import { availableParallelism } from 'node:os'
import type { WritableCatalog } from '../catalog-session.ts'
import type { LakeRun } from './lake-run.ts'
import { LaneThread } from './lane-thread.ts'
import { importAndTell, type ImportSettings, type ImportTarget, type TableOutcome } from './import-one.ts'
import { inLanes } from '../in-lanes.ts'

/** With somebody at the controls there may be more lanes later than now. */
const MAX_LANES = 16
/** A thread starts in the time in which a core parses some megabytes of a log. */
const LARGE_LOG_BYTES = 16 * 2 ** 20
/** What the import of a large table holds at most, roughly. */
const THREAD_BYTES = 400 * 2 ** 20

/** What is given to threads; how it is decided where nothing is said stands above and in `threadsFor`. */
export type LaneSplit = {
  /** Bytes of a log from which on its table is large. */
  readonly largeLogBytes?: number
  /** Threads at most. */
  readonly threads?: number
  /** Program of the threads. */
  readonly entry?: URL
}

export type LaneTarget = Omit<ImportTarget, 'worker'> & { readonly logBytes: number }

/** @returns what became of the tables that were begun; the others were left when the run was stopped */
export async function importInLanes(
  catalog: WritableCatalog,
  url: string,
  targets: readonly LaneTarget[],
  parallel: number,
  settings: ImportSettings,
  run: LakeRun,
  split: LaneSplit = {},
): Promise<readonly TableOutcome[]> {
  // Largest first, so that no long table begins when the other lanes are about to run dry.
  const queue = targets.toSorted((a, b) => b.logBytes - a.logBytes)
  const outcomes: TableOutcome[] = []
  const wished = run.control === undefined || run.control.fixedLanes === true ? parallel : MAX_LANES
  const lanes = Math.max(1, Math.min(wished, targets.length))
  const threads = new Map<number, LaneThread>()
  const largeLogBytes = split.largeLogBytes ?? LARGE_LOG_BYTES
  let freeThreads = split.threads ?? threadsFor(catalog, lanes)

  const threadOf = async (worker: number): Promise<LaneThread | null> => {
    const known = threads.get(worker)
    if (known?.alive === true) return known
    if (known !== undefined) {
      threads.delete(worker)
      freeThreads++
    }
    if (freeThreads <= 0) return null
    freeThreads--
    const thread = new LaneThread(url, run, split.entry)
    threads.set(worker, thread)
    if ((await thread.opened) === null) return thread
    // A server that gives no further connection has given one, and this thread has it. Were it away, the import says so.
    threads.delete(worker)
    freeThreads = 0
    await thread.close()
    return null
  }
  const importOne = async ({ logBytes, log, ...target }: LaneTarget, worker: number): Promise<TableOutcome> => {
    // The log of an object store is open with what was listed already, and its lane waits more than it parses.
    const large = logBytes >= largeLogBytes && log?.root.startsWith('s3:') !== true
    const thread = large ? await threadOf(worker) : null
    if (thread === null) return importAndTell(catalog, { ...target, log, worker }, settings, run)
    catalog.indexes.loaded()
    return thread.import({ ...target, worker }, settings)
  }
  try {
    await inLanes(queue, lanes, run, async (target, worker) => {
      outcomes.push(await importOne(target, worker))
    })
  } finally {
    await Promise.all([...threads.values()].map((thread) => thread.close()))
  }
  return outcomes
}

/**
 * None for a single lane, which this thread can do, nor where one writer waits for the other: two tables of 45 MB in SQLite took longer with threads
 * than without, and a thread gives up on a writer that holds the file for ten seconds, where lanes of one thread take turns.
 */
function threadsFor(catalog: WritableCatalog, lanes: number): number {
  if (lanes === 1 || !catalog.database.parallelWrites) return 0
  return Math.max(0, Math.min(lanes, availableParallelism(), Math.floor(process.availableMemory() / THREAD_BYTES)))
}
