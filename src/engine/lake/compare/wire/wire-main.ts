/** Entry of the thread in which the wire is: it forwards at its own times, whatever the program that is measured is busy with. */
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'
import { parentPort, workerData } from 'node:worker_threads'
import type { ServerAddress } from '../../../../model/run/route.ts'
import { later } from '../later.ts'
import { DelayLine } from './delay-line.ts'
import { UP, type WireAnswer, type WireOrder, type WireStart } from './wire.ts'

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
 * One connection through the wire, as long as a far one: half a round trip either way, and a whole one until it is
 * there. Connects a client that was accepted, and is not read yet, to its server. What the client sends leaves after
 * the round trip in which a far server would have said that it is there; what the server says by itself, half of one
 * later, when it would have known of the client.
 * @param turnMs added to whatever the way to the server takes by itself
 * @param onTurn hears when the client speaks, and has not spoken since its server did
 */
function relay(client: Socket, address: ServerAddress, turnMs: number, onTurn: () => void): void {
  const half = turnMs / 2
  client.on('error', () => client.destroy())
  after(half, () => {
    if (client.destroyed) return
    const server = connect({ ...address, allowHalfOpen: true, noDelay: true })
    server.on('error', () => server.destroy())
    const refused = (): void => after(half, () => client.resetAndDestroy())
    server.once('close', refused)
    let clientSpoke = false
    const fromClient = (): void => {
      if (!clientSpoke) onTurn()
      clientSpoke = true
    }
    const fromServer = (): void => void (clientSpoke = false)
    server.once('connect', () => {
      server.off('close', refused)
      after(half, () => new DelayLine(client, server, half, fromClient))
      after(turnMs, () => new DelayLine(server, client, half, fromServer))
    })
  })
}

function after(ms: number, act: () => void): void {
  later(performance.now() + ms, act)
}

post({ id: UP, port: 0 })
