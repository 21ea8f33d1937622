/** A thread that imports tables for a batch: parsing takes a core, so two large tables need two threads. */
import type { Worker } from 'node:worker_threads'
import { compiledEntry } from '../../../shared/compiled-entry.ts'
import { asSluiceError, errorFromInfo, SluiceError } from '../../../shared/errors.ts'
import { startThread } from '../../../shared/thread.ts'
import { redactText, secretsOfUrl } from '../../../shared/redact.ts'
import type { ImportSettings, ImportTarget, TableOutcome } from './import-one.ts'
import type { LakeRun } from './lake-run.ts'
import { packed } from '../../../shared/packed-error.ts'
import type { ImportThreadMessage, ImportThreadOrder, ImportThreadStart } from './thread-messages.ts'

const POLL_EVERY_MS = 40
/**
 * Longest time for a thread to close its connection, ms. Then it is terminated: the catalog stays consistent, as after
 * kill -9.
 */
const GRACE_MS = 10_000

type Target = Omit<ImportTarget, 'log'>
type Pending = { readonly target: Target; readonly begun: number; readonly finish: (outcome: TableOutcome) => void }

export class ImportThread {
  /** Resolves to null when the connection is open, or to the error: then the thread imports nothing. Never rejects. */
  readonly opened: Promise<SluiceError | null>
  readonly #worker: Worker
  readonly #run: LakeRun
  readonly #secrets: readonly string[]
  readonly #poll: NodeJS.Timeout | null
  readonly #gone: Promise<void>
  reportOpened: (error: SluiceError | null) => void = () => undefined
  #pending: Pending | null = null
  #alive = true
  #paused = false

  /** @param catalog URL with its password, which only the thread gets @param entry the thread's program */
  constructor(catalog: string, run: LakeRun, entry: URL = compiledEntry('engine/lake/import/import-main')) {
    this.#run = run
    this.#secrets = secretsOfUrl(catalog)
    this.opened = new Promise((resolve) => (this.reportOpened = resolve))
    const { runId, owner, commandLine, tool, actor, host, interrupt, sharedRun } = run
    const shared = sharedRun === undefined ? {} : { sharedRun }
    const workerData: ImportThreadStart = {
      catalog,
      runId,
      owner,
      commandLine,
      ...shared,
      identity: { tool, actor, host },
    }
    this.#worker = startThread(entry, workerData)
    this.#worker.on('message', (message: ImportThreadMessage) => this.#receive(message))
    this.#worker.on('error', (error) => this.#handleExit(error))
    this.#gone = new Promise((resolve) =>
      this.#worker.once('exit', () => {
        this.#handleExit(null)
        resolve()
      }),
    )
    for (const signal of [interrupt.stop, interrupt.abort]) {
      if (signal.aborted) this.#interrupt()
      else signal.addEventListener('abort', this.#interrupt, { once: true })
    }
    this.#poll = run.control === undefined ? null : setInterval(() => this.#passPause(), POLL_EVERY_MS)
    this.#poll?.unref()
  }

  get isAlive(): boolean {
    return this.#alive
  }

  /**
   * Imports a table; call it for one table at a time. Never rejects. If the thread dies, `table.finished` is emitted
   * here.
   */
  import(target: Target, settings: ImportSettings): Promise<TableOutcome> {
    return new Promise((finish) => {
      this.#pending = { target, begun: this.#run.clock.ticks(), finish }
      if (this.#alive) this.#order({ type: 'import', target, settings })
      else this.#handleExit(null)
    })
  }

  /** Closes the connection and ends the thread; an import that still runs is aborted. */
  async close(): Promise<void> {
    const { stop, abort } = this.#run.interrupt
    if (this.#pending !== null)
      this.#order({ type: 'abort', reason: packed(new SluiceError('ABORTED', 'the batch ended')) })
    this.#order({ type: 'close' })
    const late = setTimeout(() => void this.#worker.terminate(), GRACE_MS)
    await this.#gone
    clearTimeout(late)
    if (this.#poll !== null) clearInterval(this.#poll)
    for (const signal of [stop, abort]) signal.removeEventListener('abort', this.#interrupt)
  }

  #receive(message: ImportThreadMessage): void {
    switch (message.type) {
      case 'opened':
        return this.reportOpened(message.error === null ? null : errorFromInfo(message.error.info, message.error.kind))
      case 'event':
        return this.#run.emit(message.body)
      case 'done': {
        const { result, error, ms } = message
        const { finish } = this.#pending ?? {}
        this.#pending = null
        finish?.({ result, ms, error: error === null ? null : errorFromInfo(error.info, error.kind) })
      }
    }
  }

  /** A thread emits `error` and then `exit`, or `exit` alone. */
  #handleExit(thrown: Error | null): void {
    this.#alive = false
    const why = thrown === null ? '' : `: ${redactText(thrown.message, this.#secrets)}`
    const error = new SluiceError('INTERNAL', `the thread of this import ended${why}`, {
      hint: 'run the same command again: it continues where this one stopped; --parallel 1 needs less memory',
    })
    this.reportOpened(error)
    const pending = this.#pending
    this.#pending = null
    if (pending === null) return
    const { name, path } = pending.target
    const ms = Math.round(this.#run.clock.ticks() - pending.begun)
    this.#run.emit({ type: 'table.finished', table: name, location: path, status: 'failed', ms, error: error.info() })
    pending.finish({ result: null, error, ms })
  }

  readonly #interrupt = (): void => {
    const { stop, abort } = this.#run.interrupt
    if (abort.aborted) this.#order({ type: 'abort', reason: packed(asSluiceError(abort.reason)) })
    else this.#order({ type: 'stop', reason: packed(asSluiceError(stop.reason)) })
  }

  #passPause(): void {
    const paused = this.#run.control?.paused === true
    if (paused !== this.#paused) this.#order({ type: 'pause', paused })
    this.#paused = paused
  }

  #order(order: ImportThreadOrder): void {
    this.#worker.postMessage(order)
  }
}
