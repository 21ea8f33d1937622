/** Calls to a thread that wait for their answers. */
import { errorFromInfo, type ErrorInfo, type ErrorKind } from '../../shared/errors.ts'

type Waiting = { readonly resolve: (value: unknown) => void; readonly reject: (error: Error) => void }

export class PendingCalls {
  readonly #waiting = new Map<number, Waiting>()
  #nextId = 1

  get size(): number {
    return this.#waiting.size
  }

  /** @param post sends the call with its id @param id only for a call that is part of the thread's start */
  ask<T>(post: (id: number) => void, id: number = this.#nextId++): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      this.#waiting.set(id, { resolve: resolve as (value: unknown) => void, reject })
      post(id)
    })
  }

  resolve(id: number, value: unknown): void {
    this.#take(id)?.resolve(value)
  }

  reject(id: number, error: ErrorInfo, kind: ErrorKind): void {
    this.#take(id)?.reject(errorFromInfo(error, kind))
  }

  rejectAll(error: Error): void {
    for (const { reject } of this.#waiting.values()) reject(error)
    this.#waiting.clear()
  }

  #take(id: number): Waiting | undefined {
    const waiting = this.#waiting.get(id)
    this.#waiting.delete(id)
    return waiting
  }
}
