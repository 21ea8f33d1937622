/** A TCP proxy that fails on demand: it cuts connections, or drops bytes while the connection seems alive. */
import net from 'node:net'

/** Called with what a client sends before it is forwarded; returning `drop` drops that piece. */
export type ClientData = (data: Buffer, connection: ProxyConnection) => 'drop' | void

export type ProxyConnection = {
  /** Number of the connection, from 1. */
  readonly id: number
  /** Cuts the client off at once; the server gets the data that was sent before, and then the end. */
  cut(): void
  /**
   * From now on nothing is forwarded, not even the end of a connection, as behind a pulled cable; only `send` still
   * works.
   */
  mute(): void
  /** Sends bytes to the server as if they came from the client. */
  send(data: Buffer): void
  /** Sends bytes to the client as if they came from the server. */
  answer(data: Buffer): void
}

export type Proxy = AsyncDisposable & {
  readonly port: number
  /** Number of open connections. */
  readonly connections: number
  /** Ends every connection at once; new ones are still accepted. */
  cut(): void
  /** Forwards nothing in either direction, also on new connections; neither side gets an error. */
  freeze(): void
  thaw(): void
  onClientData(listener: ClientData | null): void
  /** Connects new connections to another port. */
  redirect(port: number): void
  close(): Promise<void>
}

export async function startProxy(firstPort: number, targetHost = '127.0.0.1'): Promise<Proxy> {
  let targetPort = firstPort
  const open = new Set<net.Socket>()
  let listener: ClientData | null = null
  let frozen = false
  let ids = 0
  const proxy = net.createServer({ allowHalfOpen: true }, (client) => {
    const server = net.connect(targetPort, targetHost)
    let muted = false
    const connection: ProxyConnection = {
      id: ++ids,
      cut: () => client.destroy(),
      mute: () => (muted = true),
      send: (data) => server.write(data),
      answer: (data) => client.write(data),
    }
    const forward = (data: Buffer, from: net.Socket, to: net.Socket): void => {
      if (to.destroyed || to.writableEnded || to.write(data)) return
      from.pause()
      to.once('drain', () => frozen || from.resume())
    }
    client.on('data', (data) => {
      // A cut takes effect after this piece has been forwarded.
      if (!muted && listener?.(data, connection) !== 'drop' && !muted) forward(data, client, server)
    })
    server.on('data', (data) => {
      if (!muted && !client.destroyed) forward(data, server, client)
    })
    client.on('end', () => muted || server.end())
    client.on('close', () => muted || server.end())
    server.on('end', () => muted || client.end())
    server.on('close', () => muted || client.destroy())
    for (const socket of [client, server]) {
      open.add(socket)
      socket.on('error', () => socket.destroy())
      socket.on('close', () => open.delete(socket))
      socket.setNoDelay(true)
      if (frozen) socket.pause()
    }
  })
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve))
  const each = (act: (socket: net.Socket) => unknown): void => {
    for (const socket of open) act(socket)
  }
  const close = async (): Promise<void> => {
    each((socket) => socket.destroy())
    await new Promise((resolve) => proxy.close(resolve))
  }
  return {
    port: (proxy.address() as net.AddressInfo).port,
    get connections() {
      return open.size / 2
    },
    cut: () => each((socket) => socket.destroy()),
    freeze: () => {
      frozen = true
      each((socket) => socket.pause())
    },
    thaw: () => {
      frozen = false
      each((socket) => socket.resume())
    },
    onClientData: (heard) => (listener = heard),
    redirect: (port) => (targetPort = port),
    close,
    [Symbol.asyncDispose]: close,
  }
}
