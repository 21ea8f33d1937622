/** The workbench in threads: one for queries, one per running operation. The caller's event loop never waits. */
import type { Worker } from 'node:worker_threads'
import { isoTime, systemClock } from '../../shared/clock.ts'
import { compiledEntry } from '../../shared/compiled-entry.ts'
import { EXIT_OF_KIND, SluiceError } from '../../shared/errors.ts'
import { startThread } from '../../shared/thread.ts'
import type { Event } from '../../model/run/event.ts'
import { redactUrl } from '../../shared/redact.ts'
import type { SteeringRequest } from '../../engine/run/operation.ts'
import { LocalRuns } from '../live/machine-runs.ts'
import type { RunningOperation, Workbench } from '../workbench.ts'
import { parseCatalogUrl } from '../../engine/run/catalog-url.ts'
import type { Identity } from '../../engine/run/identity.ts'
import type { ThreadAnswer, QueryMethod, ThreadQuestion } from './messages.ts'
import { FLAG, FLAG_BYTES, type OperationMessage, type OperationStart } from './operation-messages.ts'
import { withUrls } from '../operations/facts.ts'
import type { Operation } from '../operations/list.ts'
import { PendingCalls } from './pending-calls.ts'
import { ThreadedAsking } from './threaded-asking.ts'
import { ThreadedQueue, type KnownQueue } from './threaded-queue.ts'

/** Time for an aborted operation to roll back, and for a query to end, before the thread is terminated, ms. */
const GRACE_MS = 8_000

/**
 * The workbench for the terminal UI. Lake and catalog are optional: without them, their lists are empty.
 * @param options.lake folder with the tables; if absent, the tables of the catalog are shown
 * @param options.database URL of a database whose tables are shown
 * @param options.urls further URLs, to which operations refer by their displayed form
 * @throws SluiceError BAD_CONFIG, UNSUPPORTED_URL for a catalog URL that cannot be opened
 */
export async function openWorkbench(
  options: Identity & {
    readonly lake?: string | null
    readonly catalog?: string | null
    readonly database?: string | null
    readonly urls?: readonly string[]
    /** The queue of workers, if one is configured. */
    readonly queue?: KnownQueue
  },
): Promise<Workbench> {
  const { lake = null, catalog = null, database = null, urls = [], queue, ...identity } = options
  if (catalog !== null) parseCatalogUrl(catalog)
  else if (lake !== null) throw new Error('a lake is opened with a catalog')
  return new ThreadedWorkbench(
    { lake, catalogUrl: catalog, databaseUrl: database, urls, ...(queue === undefined ? {} : { queue }) },
    identity,
  )
}

class ThreadedWorkbench implements Workbench {
  readonly lake: string | null
  readonly catalog: string | null
  readonly database: string | null
  readonly machine: LocalRuns
  readonly queue?: ThreadedQueue
  readonly #identity: Identity
  readonly #catalogUrl: string | null
  /** Complete URLs by their displayed form. */
  readonly #urls: Map<string, string>
  #queries: QueryThread | null = null
  #disposed = false
  readonly #calls = new PendingCalls()
  readonly #running = new Set<Started>()
  readonly asking = new ThreadedAsking((label) => this.#urls.get(label) ?? label)

  /** @param at open stores, with passwords, which go only to the threads that need them */
  constructor(
    at: {
      readonly lake: string | null
      readonly catalogUrl: string | null
      readonly databaseUrl: string | null
      /** URLs of databases that are not open, but may be named by operations. */
      readonly urls?: readonly string[]
      /** Queue whose runs are listed besides those of this machine. */
      readonly queue?: KnownQueue
    },
    identity: Identity,
  ) {
    const { lake, catalogUrl, databaseUrl, urls: others = [], queue } = at
    this.lake = lake
    this.catalog = catalogUrl === null ? null : redactUrl(catalogUrl)
    this.database = databaseUrl === null ? null : redactUrl(databaseUrl)
    this.#catalogUrl = catalogUrl
    this.#identity = identity
    this.machine = new LocalRuns(identity.book ?? null)
    if (queue !== undefined) this.queue = new ThreadedQueue(queue, identity.tool)
    // Open stores take precedence over other URLs with the same displayed form.
    const urls = [...others, catalogUrl, databaseUrl].filter((url) => url !== null)
    this.#urls = new Map(urls.map((url) => [redactUrl(url), url]))
  }

  tables: Workbench['tables'] = async () => (this.#catalogUrl === null ? [] : this.#ask('tables', []))
  placed: Workbench['placed'] = (text) => this.#ask('placed', [text])
  lakeAt: Workbench['lakeAt'] = (path) => this.#ask('lakeAt', [path])
  changed: Workbench['changed'] = (seen) => this.#ask('changed', [seen])
  overview: Workbench['overview'] = (key) => this.#ask('overview', [key])
  schema: Workbench['schema'] = (key) => this.#ask('schema', [key])
  features: Workbench['features'] = (key) => this.#ask('features', [key])
  history: Workbench['history'] = (key, from, count) => this.#ask('history', [key, from, count])
  commit: Workbench['commit'] = (key, version) => this.#ask('commit', [key, version])
  partitions: Workbench['partitions'] = (key, asOf, from, count) => this.#ask('partitions', [key, asOf, from, count])
  files: Workbench['files'] = (key, query) => this.#ask('files', [key, query])
  runs: Workbench['runs'] = async (count) => (this.#catalogUrl === null ? [] : this.#ask('runs', [count]))

  start(operation: Operation, commandLine: string): RunningOperation {
    const started = startOperation(this.#withUrls(operation), commandLine, this.#identity)
    this.#running.add(started)
    started.worker.once('exit', () => this.#running.delete(started))
    return started.running
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#disposed = true
    this.machine.close()
    this.queue?.rest()
    const started = [...this.#running]
    for (const { running } of started) running.abort()
    const ended = Promise.all([
      this.#queries?.closed(),
      this.asking.close(),
      ...started.map(({ running }) => running.done),
    ])
    const { promise, clear } = after(GRACE_MS)
    await Promise.race([ended, promise])
    clear()
    // An operation that did not roll back in time is terminated as by kill -9, which a catalog survives.
    await Promise.all([
      this.#queries?.worker.terminate(),
      this.asking.terminate(),
      ...started.map(({ worker }) => worker.terminate()),
    ])
  }

  know(url: string): void {
    this.#urls.set(redactUrl(url), url)
  }

  /** Inserts the URLs, which may contain passwords: the UI has only labels. */
  #withUrls(operation: Operation): Operation {
    return withUrls(operation, (label) => this.#urls.get(label) ?? label)
  }

  #ask<T>(method: QueryMethod, given: readonly unknown[]): Promise<T> {
    if (this.#disposed)
      return Promise.reject(new SluiceError('ABORTED', 'the query was aborted, because the UI was closed'))
    const { worker } = (this.#queries ??= this.#openQueries(this.#catalogUrl))
    return this.#calls.ask<T>((id) => {
      // Only a thread with pending calls keeps the process running.
      worker.ref()
      worker.postMessage({ id, method, arguments: given } satisfies ThreadQuestion)
    })
  }

  #openQueries(catalog: string | null): QueryThread {
    const worker = startThread(compiledEntry('app/thread/query-main'), { lake: this.lake, catalog })
    const failAll = (error: Error): void => {
      this.#calls.rejectAll(error)
      this.#queries = null
      isClosed()
    }
    let isClosed = (): void => undefined
    const closed = new Promise<void>((resolve) => (isClosed = resolve))
    worker.on('message', (answer: ThreadAnswer | 'closed') => {
      if (answer === 'closed') return isClosed()
      if ('error' in answer) this.#calls.reject(answer.id, answer.error, answer.kind)
      else this.#calls.resolve(answer.id, answer.value)
      // While the thread is being ended, it keeps the process running until it has ended.
      if (this.#calls.size === 0 && !this.#disposed) worker.unref()
    })
    worker.on('error', failAll)
    worker.on('exit', () => failAll(new SluiceError('INTERNAL', 'the thread that answers questions ended')))
    worker.unref()
    return {
      worker,
      closed: () => {
        worker.ref()
        worker.postMessage('close')
        return closed
      },
    }
  }
}

/** The query thread. `closed` aborts its queries, and resolves when no query is running any more. */
type QueryThread = { readonly worker: Worker; readonly closed: () => Promise<void> }

function after(ms: number): { readonly promise: Promise<void>; readonly clear: () => void } {
  let clear: () => void = () => undefined
  const promise = new Promise<void>((resolve) => {
    const timer = setTimeout(resolve, ms)
    clear = () => clearTimeout(timer)
  })
  return { promise, clear }
}

/** Final event of a run whose thread has ended. @param resumeCommand set if it was aborted */
function finalEvent(last: Event | null, error: SluiceError, exitCode: number, resumeCommand?: string): Event {
  const { runId = null, seq = 0 } = last ?? {}
  return {
    v: 1,
    seq: seq + 1,
    ts: isoTime(systemClock.now()),
    runId,
    type: 'run.finished',
    status: resumeCommand === undefined ? 'failed' : 'stopped',
    exitCode,
    totals: {},
    ms: 0,
    ...(resumeCommand === undefined ? {} : { resumeCommand }),
    error: error.info(),
  }
}

type Started = { readonly running: RunningOperation; readonly worker: Worker }

function startOperation(operation: Operation, commandLine: string, identity: Identity): Started {
  const flags = new SharedArrayBuffer(FLAG_BYTES)
  const cells = new Int32Array(flags)
  const listeners = new Set<(event: Event) => void>()
  const workerData: OperationStart = { operation, identity, commandLine, flags }
  const worker = startThread(compiledEntry('app/thread/operation-main'), workerData)
  // Events before the first subscriber are kept.
  const missed: Event[] = []
  let reported = false
  let last: Event | null = null
  const report = (event: Event): void => {
    last = event
    if (reported) for (const listener of listeners) listener(event)
    else missed.push(event)
  }
  const done = new Promise<number>((resolve) => {
    /** Creates the final event if the thread ended without sending it, so that every run has one. */
    const endFor = (message: string): void => {
      if (last?.type === 'run.finished') return
      const aborted = Atomics.load(cells, FLAG.abort) !== 0
      const error = aborted ? new SluiceError('ABORTED', 'aborted on request') : new SluiceError('INTERNAL', message)
      const exitCode = aborted ? Atomics.load(cells, FLAG.stop) : error.exitCode
      report(finalEvent(last, error, exitCode, aborted ? commandLine : undefined))
      resolve(exitCode)
    }
    worker.on('message', (message: OperationMessage) => {
      if (message.type === 'done') resolve(message.exitCode)
      else report(message.event)
    })
    worker.on('error', (error) => endFor(String(error)))
    worker.on('exit', () => {
      endFor('the thread of the run ended before the run')
      resolve(70)
    })
  })
  const set = (cell: number, value: number): void => void Atomics.store(cells, cell, value)
  // The first request determines the exit code.
  const stop = (exitCode: number = EXIT_OF_KIND.stopped): void =>
    void Atomics.compareExchange(cells, FLAG.stop, 0, exitCode)
  // Copies receive messages: they have several requesters, and the last request is valid. Imports read the flags.
  const options = (what: SteeringRequest): void => worker.postMessage(what)
  const running: RunningOperation = {
    operation,
    done,
    subscribe(listener) {
      listeners.add(listener)
      if (!reported) {
        reported = true
        for (const event of missed.splice(0)) listener(event)
      }
      return () => void listeners.delete(listener)
    },
    stop,
    abort: (exitCode = EXIT_OF_KIND.stopped) => {
      stop(exitCode)
      set(FLAG.abort, exitCode)
    },
    pause: (held) => {
      set(FLAG.paused, held ? 1 : 0)
      options({ act: 'hold', held })
    },
    workers: (count) => {
      set(FLAG.lanes, Math.max(1, count))
      options({ act: 'workers', workers: Math.max(1, count) })
    },
    rate: (rows) => options({ act: 'rate', rate: Number.isFinite(rows) ? Math.max(1, Math.round(rows)) : null }),
    steer: options,
  }
  return { running, worker }
}
