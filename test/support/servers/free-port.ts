/** A port of this machine that no program listens on. */
import { once } from 'node:events'
import net from 'node:net'

/** Another program may take the port before the caller does. */
export async function freePort(): Promise<number> {
  const server = net.createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as net.AddressInfo
  server.close()
  await once(server, 'close')
  return port
}
