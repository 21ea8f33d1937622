/** Queue access in a thread, so that neither its driver nor a silent server blocks the screen. */
import type { Worker } from 'node:worker_threads'
import type { RunRequests, WorkerRow } from '../../model/share/distributed.ts'
import { compiledEntry } from '../../shared/compiled-entry.ts'
import { errorFromInfo, SluiceError, type ErrorInfo } from '../../shared/errors.ts'
import { redactUrl } from '../../shared/redact.ts'
import { startThread } from '../../shared/thread.ts'
import type { QueueState, QueueSnapshot, QueueRequest, ScheduleChanged, SharedRun } from '../share/queue-state.ts'
import type { ScheduleChange } from '../share/schedules/change.ts'
import { PendingCalls } from './pending-calls.ts'
import type { QueueAnswer, QueueAsked, QueueQuestion, QueueStart } from './queue-messages.ts'

/** A queue by its URL, or the error of its config. */
export type KnownQueue = { readonly url: string; readonly error?: ErrorInfo }

/** Time for a thread to close its connections before it is terminated, ms. */
const GRACE_MS = 2_000

export class ThreadedQueue implements QueueState {
  readonly label: string
  readonly #start: QueueStart
  readonly #error: ErrorInfo | null
  #queueThread: QueueThread | null = null

  /** @param tool version of this program */
  constructor({ url, error }: KnownQueue, tool: string) {
    this.label = redactUrl(url)
    this.#error = error ?? null
    this.#start = { url, tool }
  }

  snapshot = (wanted: QueueRequest): Promise<QueueSnapshot> => this.#ask<QueueSnapshot>({ act: 'snapshot', wanted })

  steer = (runId: string, options: RunRequests): Promise<SharedRun> =>
    this.#ask<SharedRun>({ act: 'steer', runId, options })

  drain = (worker: string): Promise<readonly WorkerRow[]> => this.#ask<readonly WorkerRow[]>({ act: 'drain', worker })

  changeSchedule = (name: string, change: ScheduleChange): Promise<ScheduleChanged> =>
    this.#ask<ScheduleChanged>({ act: 'change-schedule', name, change })

  rest = (): void => {
    const asked = this.#queueThread
    this.#queueThread = null
    asked?.close()
  }

  #ask<T>(asked: QueueAsked): Promise<T> {
    if (this.#error !== null) return Promise.reject(errorFromInfo(this.#error))
    this.#queueThread ??= new QueueThread(this.#start, () => (this.#queueThread = null))
    return this.#queueThread.ask<T>(asked)
  }
}

/** One thread, from start to end. */
class QueueThread {
  readonly #thread: Worker
  readonly #calls = new PendingCalls()

  /** @param gone called if the thread ends without a request */
  constructor(start: QueueStart, gone: () => void) {
    this.#thread = startThread(compiledEntry('app/thread/queue-main'), start)
    // The thread must not keep the program running.
    this.#thread.unref()
    const failAll = (error: Error): void => {
      gone()
      this.#calls.rejectAll(error)
    }
    this.#thread.on('message', (answer: QueueAnswer) => {
      if ('error' in answer) this.#calls.reject(answer.id, answer.error.info, answer.error.kind)
      else this.#calls.resolve(answer.id, answer.value)
    })
    this.#thread.on('error', failAll)
    this.#thread.on('exit', () => failAll(new SluiceError('INTERNAL', 'the thread that reads the queue ended')))
  }

  ask<T>(asked: QueueAsked): Promise<T> {
    return this.#calls.ask<T>((id) => this.#thread.postMessage({ id, asked } satisfies QueueQuestion))
  }

  /** Ends the thread. Earlier calls are still answered, unless the server is silent. */
  close(): void {
    this.#thread.postMessage('close')
    setTimeout(() => void this.#thread.terminate(), GRACE_MS).unref()
  }
}
