/** Encryption of the connections to a cluster: whose certificates are accepted, and whether nodes that need not encrypt do. */
import { isIP } from 'node:net'
import { checkServerIdentity, connect, type ConnectionOptions, type PeerCertificate } from 'node:tls'
import type { CassandraSettings } from './config.ts'

/** How long a node may think about a handshake that need not be. */
const PROBE_MS = 3000

/** The driver connects to addresses: a certificate is for a node when it names its address, or a host that the user gave. */
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

/** Whether the first node that answers takes an encrypted connection; for modes that do without it. */
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
