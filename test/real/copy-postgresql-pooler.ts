/** A connection pooler in transaction mode, reduced to its effect on sessions. */
import net from 'node:net'

type Message = { readonly code: string; readonly bytes: Buffer }

/** Splits the server's bytes into messages. */
class Messages {
  #rest: Buffer = Buffer.alloc(0)

  take(data: Buffer): Message[] {
    this.#rest = Buffer.concat([this.#rest, data])
    const found: Message[] = []
    while (this.#rest.length >= 5 && this.#rest.length > this.#rest.readUInt32BE(1)) {
      const end = this.#rest.readUInt32BE(1) + 1
      found.push({ code: String.fromCharCode(this.#rest[0] ?? 0), bytes: this.#rest.subarray(0, end) })
      this.#rest = this.#rest.subarray(end)
    }
    return found
  }
}

type Server = { readonly socket: net.Socket; client: net.Socket | null }

/**
 * Between two transactions of a client, its server connection is given to the next client; the most recently returned
 * one comes first.
 */
export async function startTransactionPooler(port: number): Promise<{ readonly port: number } & AsyncDisposable> {
  const free: Server[] = []
  const open = new Set<net.Socket>()
  const pooler = net.createServer((client) => {
    const socket = net.connect(port, '127.0.0.1')
    const first: Server = { socket, client }
    const messages = new Messages()
    let mine: Server | null = first
    for (const one of [client, socket]) {
      open.add(one)
      one.on('error', () => one.destroy())
      one.on('close', () => open.delete(one))
    }
    socket.on('data', (data) => {
      for (const { code, bytes } of messages.take(data)) {
        // Poolers invent the keys that their clients use to cancel.
        if (code === 'K') bytes.writeUInt32BE(4_000_000, 5)
        const to = first.client
        to?.write(bytes)
        if (code !== 'Z' || bytes[5] !== 'I'.charCodeAt(0)) continue
        first.client = null
        owners.set(to, null)
        free.push(first)
      }
    })
    client.on('data', (data) => {
      mine = owners.get(client) ?? null
      if (mine === null) {
        mine = free.pop() ?? null
        if (mine === null) throw new Error('the pool is empty')
        mine.client = client
        owners.set(client, mine)
      }
      // Terminate ends the connection to the pooler only.
      if (data[0] === 'X'.charCodeAt(0)) {
        mine.client = null
        owners.delete(client)
        free.push(mine)
        client.destroy()
        return
      }
      mine.socket.write(data)
    })
    owners.set(client, first)
  })
  const owners = new Map<net.Socket | null, Server | null>()
  await new Promise<void>((resolve) => pooler.listen(0, '127.0.0.1', resolve))
  return {
    port: (pooler.address() as net.AddressInfo).port,
    [Symbol.asyncDispose]: async () => {
      for (const socket of open) socket.destroy()
      await new Promise((resolve) => pooler.close(resolve))
    },
  }
}
