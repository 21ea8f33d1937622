/** Runs each statement in its own thread, which also holds the result. The caller's event loop never waits. */
import type { Worker } from 'node:worker_threads'
import { compiledEntry } from '../../shared/compiled-entry.ts'
import { SluiceError } from '../../shared/errors.ts'
import { startThread } from '../../shared/thread.ts'
import { AskHistory } from '../ask/history.ts'
import { pathsThatBegin, saveText } from '../ask/save.ts'
import {
  JUST_ASKED,
  type Answering,
  type AskPort,
  type AskPlace,
  type AskProgress,
  type AskQuestion,
  type AskRelation,
} from '../ask/port.ts'
import type { AskMessage, AskOrder, AskStart } from './ask-messages.ts'
import { PendingCalls } from './pending-calls.ts'

export class ThreadedAsking implements AskPort {
  readonly #urlOf: (label: string) => string
  readonly #history = new AskHistory()
  readonly #open = new Set<AskThread>()

  /** @param urlOf returns the complete URL of a displayed URL */
  constructor(urlOf: (label: string) => string) {
    this.#urlOf = urlOf
  }

  history: AskPort['history'] = () => this.#history.read()
  remember: AskPort['remember'] = (asked) => this.#history.add(asked)
  write: AskPort['write'] = (path, text, overwrite) => saveText(path, text, overwrite)
  paths: AskPort['paths'] = (begin) => pathsThatBegin(begin)

  ask(question: AskQuestion): Answering {
    const thread = this.#start({ question: { ...question, place: this.#whole(question.place) } })
    return {
      question,
      subscribe: (listener) => thread.subscribe(listener),
      cancel: () => thread.order({ type: 'cancel' }),
      window: (from, count) => thread.asked((id) => ({ type: 'window', id, from, count })),
      cell: (row, column) => thread.asked((id) => ({ type: 'cell', id, row, column })),
      save: (options) => thread.asked((id) => ({ type: 'save', id, options })),
      close: () => thread.close(),
    }
  }

  async relations(place: AskPlace): Promise<readonly AskRelation[]> {
    return await this.#start({ relations: this.#whole(place) }).asked<readonly AskRelation[]>(null)
  }

  /** Ends all statements on their servers, and waits for that. */
  async close(): Promise<void> {
    await Promise.all([...this.#open].map((thread) => thread.close()))
  }

  /** Ends threads immediately, like kill -9. */
  async terminate(): Promise<void> {
    await Promise.all([...this.#open].map((thread) => thread.terminate()))
  }

  #whole<P extends AskPlace>(place: P): P {
    return { ...place, url: this.#urlOf(place.url) }
  }

  #start(start: AskStart): AskThread {
    const thread = new AskThread(start, () => this.#open.delete(thread))
    this.#open.add(thread)
    return thread
  }
}

class AskThread {
  readonly #worker: Worker
  readonly #listeners = new Set<(progress: AskProgress) => void>()
  readonly #calls = new PendingCalls()
  readonly #ended: Promise<void>
  #last: AskProgress | null
  #gone = false

  constructor(start: AskStart, onEnd: () => void) {
    this.#last = 'question' in start ? JUST_ASKED : null
    this.#worker = startThread(compiledEntry('app/thread/ask-main'), start)
    this.#ended = new Promise((resolve) => {
      this.#worker.on('message', (message: AskMessage) => {
        this.#receive(message)
        if (message.type === 'closed') resolve()
      })
      this.#worker.on('error', (error) => this.#fail(error))
      this.#worker.on('exit', () => {
        this.#fail(new SluiceError('INTERNAL', 'the thread of the statement ended'))
        onEnd()
        resolve()
      })
    })
  }

  subscribe(listener: (progress: AskProgress) => void): () => void {
    this.#listeners.add(listener)
    if (this.#last !== null) listener(this.#last)
    return () => void this.#listeners.delete(listener)
  }

  order(order: AskOrder): void {
    if (!this.#gone) this.#worker.postMessage(order)
  }

  /** @param order null if the request was part of the thread's start */
  asked<T>(order: ((id: number) => AskOrder) | null): Promise<T> {
    if (this.#gone) return Promise.reject(new SluiceError('ABORTED', 'the answer is closed'))
    if (order === null) return this.#calls.ask(() => undefined, 0)
    return this.#calls.ask((id) => this.#worker.postMessage(order(id)))
  }

  close(): Promise<void> {
    this.order({ type: 'close' })
    return this.#ended
  }

  async terminate(): Promise<void> {
    await this.#worker.terminate()
  }

  #receive(message: AskMessage): void {
    if (message.type === 'progress') {
      this.#last = message.progress
      for (const listener of this.#listeners) listener(message.progress)
    } else if (message.type === 'answer') this.#calls.resolve(message.id, message.value)
    else if (message.type === 'failed') this.#calls.reject(message.id, message.error, message.kind)
  }

  /** The thread has ended: rejects all waiting calls; a running statement has ended with it. */
  #fail(error: Error): void {
    if (this.#gone) return
    this.#gone = true
    this.#calls.rejectAll(error)
    const last = this.#last
    if (last === null || last.state === 'done') return
    const info = (error instanceof SluiceError ? error : new SluiceError('INTERNAL', error.message)).info()
    this.#last = { ...last, state: 'done', whole: false, error: info }
    for (const listener of this.#listeners) listener(this.#last)
  }
}
