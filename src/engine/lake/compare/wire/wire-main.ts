/** Entry of the thread in which the wire is: it forwards at its own times, whatever the program that is measured is busy with. */
import { createServer, type AddressInfo } from 'node:net'
import { parentPort, workerData } from 'node:worker_threads'
import { relay } from './relay.ts'
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

post({ id: UP, port: 0 })
