/** Entry of the proxy's thread: it forwards bytes on time, even if the measured program is busy. */
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'
import { parentPort, workerData } from 'node:worker_threads'
import type { ServerAddress } from '../../../../model/run/route.ts'
import { callAt } from '../call-at.ts'
import { DelayLine } from './delay-line.ts'
import { STARTED_ID, type WireAnswer, type WireOrder, type WireStart } from './wire.ts'

const { roundTripMs, turns } = workerData as WireStart
const counted = new Int32Array(turns)
const post = (answer: WireAnswer): void => parentPort?.postMessage(answer)

parentPort?.on('message', ({ id, address }: WireOrder) => {
  const listener = createServer({ allowHalfOpen: true, noDelay: true, pauseOnConnect: true }, (client) =>
    relay(client, address, roundTripMs, () => Atomics.add(counted, 0, 1)),
  )
  listener.once('error', (error) => post({ id, error: error.message }))
  listener.listen(0, '127.0.0.1', () => post({ id, port: (listener.address() as AddressInfo).port }))
})

/**
 * Relays one connection with the delay of a distant server: half a round trip each way, and a whole one to connect.
 * `client` is accepted already, but not read yet. Its bytes are read after one round trip, when a distant server's
 * reply to the connection request would arrive. Bytes that the server sends first are read half a round trip later,
 * when the client's acknowledgement of this reply would arrive at the server.
 * @param turnMs added to the real round trip to the server, ms
 * @param onTurn called when the client sends for the first time, and when it sends again after the server has sent
 */
function relay(client: Socket, address: ServerAddress, turnMs: number, onTurn: () => void): void {
  const half = turnMs / 2
  client.on('error', () => client.destroy())
  runAfter(half, () => {
    if (client.destroyed) return
    const server = connect({ ...address, allowHalfOpen: true, noDelay: true })
    server.on('error', () => server.destroy())
    const refused = (): void => runAfter(half, () => client.resetAndDestroy())
    server.once('close', refused)
    let clientSpoke = false
    const fromClient = (): void => {
      if (!clientSpoke) onTurn()
      clientSpoke = true
    }
    const fromServer = (): void => void (clientSpoke = false)
    server.once('connect', () => {
      server.off('close', refused)
      runAfter(half, () => new DelayLine(client, server, half, fromClient))
      runAfter(turnMs, () => new DelayLine(server, client, half, fromServer))
    })
  })
}

function runAfter(ms: number, act: () => void): void {
  callAt(performance.now() + ms, act)
}

post({ id: STARTED_ID, port: 0 })
