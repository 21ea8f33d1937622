/**
 * The proxy of `--simulate-latency`: how long bytes take through it, that they are unchanged, and what happens at ends
 * and resets.
 */
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import net from 'node:net'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { DelayedWire } from '../../src/engine/lake/compare/wire/wire.ts'

const ROUND_TRIP = 40

let server: net.Server
let wire: DelayedWire
let serve: (socket: net.Socket) => void
const open = new Set<net.Socket>()

beforeEach(async () => {
  serve = (socket) => socket.pipe(socket)
  server = net.createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
    open.add(socket)
    socket.on('error', () => socket.destroy())
    serve(socket)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  wire = await DelayedWire.start(ROUND_TRIP)
})

afterEach(async () => {
  await wire[Symbol.asyncDispose]()
  for (const socket of open) socket.destroy()
  open.clear()
  server.close()
})

const port = (): number => (server.address() as net.AddressInfo).port

async function client(to = port()): Promise<net.Socket> {
  const socket = net.connect({ ...(await wire.route({ host: '127.0.0.1', port: to })), noDelay: true })
  socket.on('error', () => undefined)
  open.add(socket)
  return socket
}

/** Time from an action until the socket receives something, ms. */
async function answered(socket: net.Socket, act: () => void): Promise<number> {
  const begun = performance.now()
  const heard = once(socket, 'data')
  act()
  await heard
  return performance.now() - begun
}

describe('time', () => {
  test('a request and its response take a round trip, for each of many, and connecting takes one more', async () => {
    const begun = performance.now()
    const socket = await client()
    await answered(socket, () => socket.write('first'))
    expect(performance.now() - begun).toBeGreaterThanOrEqual(2 * ROUND_TRIP)
    for (let i = 0; i < 10; i++)
      expect(await answered(socket, () => socket.write(`${i}`))).toBeGreaterThanOrEqual(ROUND_TRIP)
  })

  test('a greeting of the server arrives when a distant client would have got it', async () => {
    serve = (socket) => socket.write('greeting')
    const begun = performance.now()
    const socket = await client()
    await once(socket, 'data')
    expect(performance.now() - begun).toBeGreaterThanOrEqual(2 * ROUND_TRIP)
  })

  test('messages that are sent one after the other travel at the same time', async () => {
    const heard: string[] = []
    serve = (socket) => socket.on('data', (data) => heard.push(...data.toString().split('')))
    const [many, one] = [await client(), await client()]
    const wait = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))
    await wait(3 * ROUND_TRIP)
    const pieces = 'abcdefghijklmnopqrstuvwxyz'
    for (const piece of pieces) {
      many.write(piece)
      await wait(3)
    }
    // A proxy that carried one piece at a time would still have most of them when the other connection's piece arrives.
    await wait(4 * ROUND_TRIP)
    one.write('!')
    while (heard.length <= pieces.length) await wait(5)
    expect(heard.join('')).toBe(`${pieces}!`)
  })
})

test(
  'many bytes arrive complete and in order, even if the reader is slower than the writer',
  { timeout: 60_000 },
  async () => {
    const [sent, received] = [createHash('sha256'), createHash('sha256')]
    let bytes = 0
    serve = (socket) => {
      socket.on('data', (data: Buffer) => {
        bytes += data.length
        received.update(data)
        socket.pause()
        setImmediate(() => socket.resume())
      })
      socket.on('end', () => socket.end(String(bytes)))
    }
    const socket = await client()
    for (let i = 0; i < 48; i++) {
      const piece = Buffer.alloc(1 << 20, `${i} `)
      sent.update(piece)
      if (!socket.write(piece)) await once(socket, 'drain')
    }
    // One side has ended; the other one still sends.
    socket.end()
    const [answer] = (await once(socket, 'data')) as [Buffer]
    expect(answer.toString()).toBe(String(48 << 20))
    expect(received.digest('hex')).toBe(sent.digest('hex'))
  },
)

describe('ends and resets', () => {
  test('all bytes of a server that ends arrive', async () => {
    serve = (socket) => socket.end('all of it')
    const socket = await client()
    let text = ''
    socket.on('data', (data) => (text += data.toString()))
    await once(socket, 'end')
    expect(text).toBe('all of it')
  })

  test.each([
    ['the server breaks it off', (socket: net.Socket) => socket.once('data', () => socket.resetAndDestroy())],
    ['it breaks off before anything was said', (socket: net.Socket) => socket.resetAndDestroy()],
  ])('a connection that breaks is broken on this side too: %s', async (_, act) => {
    serve = act
    const socket = await client()
    socket.write('x')
    const [error] = (await once(socket, 'error')) as [NodeJS.ErrnoException]
    expect(['ECONNRESET', 'EPIPE']).toContain(error.code)
  })

  test('a client that disconnects is disconnected for the server', async () => {
    const gone = new Promise<void>((resolve) => {
      serve = (socket) => {
        socket.once('data', () => socket.write('here'))
        socket.once('close', () => resolve())
      }
    })
    const socket = await client()
    await answered(socket, () => socket.write('x'))
    socket.resetAndDestroy()
    await gone
  })

  test('a missing server refuses', async () => {
    const other = net.createServer().listen(0, '127.0.0.1')
    await once(other, 'listening')
    const closed = (other.address() as net.AddressInfo).port
    other.close()
    await once(other, 'close')
    const socket = await client(closed)
    socket.write('x')
    const [error] = (await once(socket, 'error')) as [NodeJS.ErrnoException]
    expect(['ECONNRESET', 'EPIPE']).toContain(error.code)
  })

  test('a proxy that is closed cuts its connections, and accepts no more', async () => {
    const socket = await client()
    await answered(socket, () => socket.write('x'))
    const by = await wire.route({ host: '127.0.0.1', port: port() })
    const cut = once(socket, 'close')
    await wire[Symbol.asyncDispose]()
    await cut
    const late = net.connect(by)
    const [error] = (await once(late, 'error')) as [NodeJS.ErrnoException]
    expect(error.code).toBe('ECONNREFUSED')
    await expect(wire.route({ host: '127.0.0.1', port: 1 })).rejects.toMatchObject({ code: 'INTERNAL' })
  })
})
