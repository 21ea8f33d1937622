/** The workbench over threads: one answers questions, each running operation has its own. The caller's event loop never waits. */
import { Worker } from 'node:worker_threads'
import { isoTime, systemClock } from '../../shared/clock.ts'
import { errorFromInfo, SluiceError } from '../../shared/errors.ts'
import type { Event } from '../../model/event.ts'
import type { Operation } from '../operation.ts'
import type { RunningOperation, Workbench } from '../workbench.ts'
import {
  FLAG,
  FLAG_BYTES,
  type Answer,
  type Identity,
  type OperationMessage,
  type OperationStart,
  type QueryMethod,
  type Question,
} from './messages.ts'

/** How long an aborted operation may take to roll back before its thread is ended, ms. */
const GRACE_MS = 3_000

export class ThreadedWorkbench implements Workbench {
  readonly lake: string | null
  readonly catalog: string
  readonly #identity: Identity
  readonly #catalogUrl: string
  #queries: Worker | null = null
  #nextId = 1
  #disposed = false
  readonly #waiting = new Map<number, { resolve: (value: unknown) => void; reject: (error: Error) => void }>()
  readonly #running = new Set<Started>()

  /** @param label the catalog's URL without its password */
  constructor(
    at: { readonly lake: string | null; readonly catalogUrl: string; readonly label: string },
    identity: Identity,
  ) {
    this.lake = at.lake
    this.catalog = at.label
    this.#catalogUrl = at.catalogUrl
    this.#identity = identity
  }

  tables: Workbench['tables'] = () => this.#ask('tables', [])
  overview: Workbench['overview'] = (key) => this.#ask('overview', [key])
  schema: Workbench['schema'] = (key) => this.#ask('schema', [key])
  features: Workbench['features'] = (key) => this.#ask('features', [key])
  history: Workbench['history'] = (key, from, count) => this.#ask('history', [key, from, count])
  commit: Workbench['commit'] = (key, version) => this.#ask('commit', [key, version])
  partitions: Workbench['partitions'] = (key, asOf, from, count) => this.#ask('partitions', [key, asOf, from, count])
  files: Workbench['files'] = (key, query) => this.#ask('files', [key, query])
  runs: Workbench['runs'] = (count) => this.#ask('runs', [count])

  start(operation: Operation, commandLine: string): RunningOperation {
    const started = startThread(this.#withCatalog(operation), commandLine, this.#identity)
    this.#running.add(started)
    started.worker.once('exit', () => this.#running.delete(started))
    return started.running
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#disposed = true
    const started = [...this.#running]
    for (const { running } of started) running.abort()
    const ended = Promise.all(started.map(({ running }) => running.done))
    await Promise.race([ended, new Promise((resolve) => setTimeout(resolve, GRACE_MS).unref())])
    // What could not roll back in time is ended as a kill -9 would end it, and that a catalog survives.
    await Promise.all([this.#queries?.terminate(), ...started.map(({ worker }) => worker.terminate())])
  }

  /** The UI knows the catalog by its label only; the URL, which may hold a password, is put in here. */
  #withCatalog(operation: Operation): Operation {
    return 'catalog' in operation && operation.catalog === this.catalog
      ? { ...operation, catalog: this.#catalogUrl }
      : operation
  }

  #ask<T>(method: QueryMethod, given: readonly unknown[]): Promise<T> {
    if (this.#disposed) return Promise.reject(new SluiceError('ABORTED', 'the workbench is closed'))
    const worker = (this.#queries ??= this.#openQueries())
    const id = this.#nextId++
    return new Promise<T>((resolve, reject) => {
      this.#waiting.set(id, { resolve: resolve as (value: unknown) => void, reject })
      // Only a thread that owes an answer keeps the process alive.
      worker.ref()
      worker.postMessage({ id, method, arguments: given } satisfies Question)
    })
  }

  #openQueries(): Worker {
    const worker = new Worker(entry('query-main'), {
      workerData: { lake: this.lake, catalog: this.#catalogUrl },
      stdout: true,
      stderr: true,
    })
    const failAll = (error: Error): void => {
      for (const { reject } of this.#waiting.values()) reject(error)
      this.#waiting.clear()
      this.#queries = null
    }
    worker.on('message', (answer: Answer) => {
      const waiting = this.#waiting.get(answer.id)
      this.#waiting.delete(answer.id)
      // While the thread is being ended, it alone may keep the process alive until it has ended.
      if (this.#waiting.size === 0 && !this.#disposed) worker.unref()
      if ('error' in answer) waiting?.reject(errorFromInfo(answer.error, answer.kind))
      else waiting?.resolve(answer.value)
    })
    worker.on('error', failAll)
    worker.on('exit', () => failAll(new SluiceError('INTERNAL', 'the thread that answers questions ended')))
    worker.unref()
    return worker
  }
}

type Started = { readonly running: RunningOperation; readonly worker: Worker }

function startThread(operation: Operation, commandLine: string, identity: Identity): Started {
  const flags = new SharedArrayBuffer(FLAG_BYTES)
  const cells = new Int32Array(flags)
  const listeners = new Set<(event: Event) => void>()
  const workerData: OperationStart = { operation, identity, commandLine, flags }
  // What a library may print there would land in the middle of the screen.
  const worker = new Worker(entry('operation-main'), { workerData, stdout: true, stderr: true })
  // A listener that subscribes late must not miss the beginning.
  const missed: Event[] = []
  let told = false
  let last: Event | null = null
  const tell = (event: Event): void => {
    last = event
    if (told) for (const listener of listeners) listener(event)
    else missed.push(event)
  }
  const done = new Promise<number>((resolve) => {
    /** The thread is gone without its last word: it is said here, so that every run has one. */
    const endFor = (message: string): void => {
      if (last?.type === 'run.finished') return
      const { runId = null, seq = 0 } = last ?? {}
      const aborted = Atomics.load(cells, FLAG.abort) === 1
      const error = aborted ? new SluiceError('ABORTED', 'aborted as asked') : new SluiceError('INTERNAL', message)
      const { exitCode } = error
      tell({
        v: 1,
        seq: seq + 1,
        ts: isoTime(systemClock.now()),
        runId,
        type: 'run.finished',
        status: aborted ? 'stopped' : 'failed',
        exitCode,
        totals: {},
        ms: 0,
        ...(aborted ? { resumeCommand: commandLine } : {}),
        error: error.info(),
      })
      resolve(exitCode)
    }
    worker.on('message', (message: OperationMessage) => {
      if (message.type === 'done') resolve(message.exitCode)
      else tell(message.event)
    })
    worker.on('error', (error) => endFor(String(error)))
    worker.on('exit', () => {
      endFor('the thread of the run ended before the run')
      resolve(70)
    })
  })
  const set = (cell: number, value: number): void => void Atomics.store(cells, cell, value)
  const running: RunningOperation = {
    operation,
    done,
    subscribe(listener) {
      listeners.add(listener)
      if (!told) {
        told = true
        for (const event of missed.splice(0)) listener(event)
      }
      return () => void listeners.delete(listener)
    },
    stop: () => set(FLAG.stop, 1),
    abort: () => {
      set(FLAG.stop, 1)
      set(FLAG.abort, 1)
    },
    pause: (paused) => set(FLAG.paused, paused ? 1 : 0),
    lanes: (count) => set(FLAG.lanes, Math.max(1, count)),
  }
  return { running, worker }
}

/** Threads run compiled code only: Node 20 cannot load TypeScript in them, also when the caller itself runs from source. */
function entry(name: string): URL {
  return new URL(import.meta.url.replace('/src/', '/dist/').replace(/[^/]+$/, `${name}.js`))
}
