/** Distinguishes a server that works without sending anything, as when it builds an index, from a dead connection. */
import type { Socket } from 'node:net'

const BETWEEN_MS = 1_000

export type WatchedSession = {
  readonly socket: Socket
  /** Silence after which `stillWorking` is called, in milliseconds. */
  readonly responseMs: number
  /** False while the consumer is slow: the connection is not at fault then. */
  isWaiting(): boolean
  /** True if the server still works on the statement, by a query over another connection; must not reject. */
  stillWorking(): Promise<boolean>
  onDead(error: Error): void
}

/** Watches the connection of one statement until the timer is cleared. */
export function watch(watched: WatchedSession): NodeJS.Timeout {
  const { socket, responseMs } = watched
  let lastWord = performance.now()
  let bytes = socket.bytesRead + socket.bytesWritten
  let asking = false
  return setInterval(
    () => {
      const now = socket.bytesRead + socket.bytesWritten
      if (now !== bytes || !watched.isWaiting()) {
        bytes = now
        lastWord = performance.now()
        return
      }
      if (asking || performance.now() - lastWord < responseMs) return
      asking = true
      void watched.stillWorking().then((working) => {
        asking = false
        lastWord = performance.now()
        if (working) return
        const text = `the server has not answered for ${Math.round(responseMs / 1_000)} seconds`
        watched.onDead(Object.assign(new Error(text), { code: 'ETIMEDOUT' }))
      })
    },
    Math.min(BETWEEN_MS, responseMs),
  )
}
