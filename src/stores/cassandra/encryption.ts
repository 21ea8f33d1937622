/** TLS of the connections to a cluster: which certificates are accepted, and whether nodes use optional TLS. */
import { isIP } from 'node:net'
import { checkServerIdentity, connect, type ConnectionOptions, type PeerCertificate } from 'node:tls'
import type { CassandraSettings } from './config.ts'

/** Longest wait for the handshake of optional TLS, ms. */
const PROBE_MS = 3000

/** The driver connects to addresses: a certificate must name the node's address, or a host that the user gave. */
export function tlsOptions({ tls, hosts }: CassandraSettings): ConnectionOptions {
  const { options } = tls
  if (!tls.verifyHost) return options ?? {}
  const isNamed = (address: string, certificate: PeerCertificate): Error | undefined => {
    const names = [...hosts.filter((host) => isIP(host) === 0), address]
    return names.some((name) => checkServerIdentity(name, certificate) === undefined)
      ? undefined
      : checkServerIdentity(names[0] ?? address, certificate)
  }
  return { ...options, checkServerIdentity: isNamed }
}

/** True if the first node that answers accepts TLS; for modes in which it is optional. */
export async function speaksTls({ contactPoints, tls, connectTimeoutMs }: CassandraSettings): Promise<boolean> {
  for (const point of contactPoints) {
    const [, host = '', port = ''] = /^\[?([^\]]+?)\]?:(\d+)$/.exec(point) ?? []
    const answer = await new Promise<boolean | null>((resolve) => {
      const socket = connect({ ...tls.options, host, port: Number(port), rejectUnauthorized: false })
      let isOpen = false
      const end = (found: boolean | null): void => {
        socket.destroy()
        resolve(found)
      }
      socket.once('connect', () => (isOpen = true))
      socket.once('secureConnect', () => end(true))
      socket.once('error', () => end(isOpen ? false : null))
      socket.once('close', () => end(isOpen ? false : null))
      socket.setTimeout(Math.min(connectTimeoutMs, PROBE_MS), () => end(isOpen ? false : null))
    })
    if (answer !== null) return answer
  }
  return false
}
