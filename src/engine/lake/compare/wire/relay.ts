/** One connection through the wire, as long as a far one: half a round trip either way, and a whole one until it is there. */
import { connect, type Socket } from 'node:net'
import type { ServerAddress } from '../../../../model/run/route.ts'
import { later } from '../later.ts'
import { DelayLine } from './delay-line.ts'

/**
 * Connects a client that was accepted, and is not read yet, to its server. What the client sends leaves after the round trip in which a far server
 * would have said that it is there; what the server says by itself, half of one later, when it would have known of the client.
 * @param roundTripMs added to whatever the way to the server takes by itself
 * @param onTurn hears when the client speaks, and has not spoken since its server did
 */
export function relay(client: Socket, address: ServerAddress, roundTripMs: number, onTurn: () => void): void {
  const half = roundTripMs / 2
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
      after(roundTripMs, () => new DelayLine(server, client, half, fromServer))
    })
  })
}

function after(ms: number, act: () => void): void {
  later(performance.now() + ms, act)
}
