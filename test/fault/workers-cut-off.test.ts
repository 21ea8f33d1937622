/** A worker that cannot reach its queue says so once, whatever each of its questions failed with, and that the connection is lost. */
import net from 'node:net'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { POSTGRES_MISSING, POSTGRES_OWN } from '../support/servers/postgresql.ts'
import { startProxy } from '../support/servers/proxy.ts'
import { WorkerStage } from '../support/worker-stage.ts'

/** Takes connections and ends each at once, as a machine does whose server is gone. */
async function deadEnd(): Promise<AsyncDisposable & { readonly port: number; readonly taken: () => number }> {
  let taken = 0
  const server = net.createServer((socket) => {
    taken += 1
    socket.on('error', () => undefined)
    socket.destroy()
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    port: (server.address() as net.AddressInfo).port,
    taken: () => taken,
    [Symbol.asyncDispose]: async () => void (await new Promise((resolve) => server.close(resolve))),
  }
}

describe.skipIf(!POSTGRES_OWN)(
  `a worker that is cut off from its queue ${POSTGRES_MISSING}`,
  { timeout: 240_000 },
  () => {
    let stage: WorkerStage
    beforeAll(async () => {
      stage = await WorkerStage.open()
    }, 120_000)
    afterAll(async () => {
      await stage[Symbol.asyncDispose]()
    })

    test('says so once, through timeouts and broken connections, and that it is back', async () => {
      await using proxy = await startProxy(stage.queue.port)
      await using dead = await deadEnd()
      const url = new URL(stage.queue.url('queue'))
      url.host = `127.0.0.1:${proxy.port}`
      const worker = stage.worker({ overTcp: true, stores: { queue: url.href } })
      await stage.until('a beat', () => worker.events.some(({ type }) => type === 'worker.beat'))
      const said = (): readonly string[] =>
        worker.events.flatMap((event) =>
          event.type === 'log' && event.message.includes('queue is') ? [event.message] : [],
        )
      proxy.freeze()
      await stage.until('that it is not reached', () => said().length > 0)
      proxy.redirect(dead.port)
      proxy.thaw()
      proxy.cut()
      await stage.until('further tries', () => dead.taken() > 10)
      proxy.redirect(stage.queue.port)
      await stage.until('that it is reached', () => said().some((text) => text.includes('reached again')))
      const [first, ...more] = said()
      expect(first).toContain('the queue is not reached, and what goes on goes on: CONNECT')
      expect(first).not.toContain('INTERNAL')
      expect(more).toEqual(['the queue is reached again'])
      worker.signal('SIGTERM')
      expect(await worker.ended).toBe(0)
    })
  },
)
