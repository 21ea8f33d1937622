/** Checks the network path to a database server: host name and port. */
import { lookup } from 'node:dns/promises'
import { connect, isIP, type Socket } from 'node:net'
import { fail, ok } from '../../model/run/verdict.ts'
import { tookText } from '../../shared/figures.ts'
import type { PreflightTarget } from '../../stores/common/preflight-port.ts'
import type { Examination } from './examination.ts'

/** @returns true if a login can be tried */
export async function inspectNetwork(
  examination: Examination,
  area: string,
  target: PreflightTarget,
): Promise<boolean> {
  if (target.kind === 'host' && isIP(target.host) === 0) {
    const { host } = target
    const named = await examination.check(area, 'host name', async () => {
      try {
        const addresses = await lookup(host, { all: true })
        return ok(addresses.map(({ address }) => address).join(', '))
      } catch (error) {
        const hint = 'check the host in the URL, and the DNS of this machine'
        return fail(`${host} is not known`, { cause: codeOf(error), hint })
      }
    })
    if (named.verdict?.status === 'fail') return false
  }
  const reached = await examination.check(area, 'network', async (signal) => {
    const start = performance.now()
    const shown = target.kind === 'host' ? `${target.host} port ${target.port}` : target.path
    try {
      await reach(target, signal)
      return ok(`${shown} answers in ${tookText(performance.now() - start)}`)
    } catch (error) {
      const code = codeOf(error)
      return fail(`${shown} does not answer`, { cause: CAUSES[code] ?? code, hint: HINTS[code] ?? HINT })
    }
  })
  return reached.verdict?.status === 'ok'
}

const HINT = 'check host and port in the URL, and the network between'
const CAUSES: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'nothing listens there (ECONNREFUSED)',
  ENOENT: 'there is no such socket file (ENOENT)',
  EACCES: 'this user may not use the socket file (EACCES)',
  EHOSTUNREACH: 'there is no route to the host (EHOSTUNREACH)',
  ENETUNREACH: 'there is no route to the network (ENETUNREACH)',
}
const HINTS: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'start the server, or correct host and port in the URL',
  ENOENT: 'start the server, or correct the path of the socket in the URL',
}

function reach(target: PreflightTarget, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket: Socket = target.kind === 'host' ? connect(target.port, target.host) : connect(target.path)
    signal.addEventListener('abort', () => socket.destroy(), { once: true })
    socket.once('connect', () => {
      socket.destroy()
      resolve()
    })
    socket.once('error', reject)
  })
}

function codeOf(error: unknown): string {
  const inner = error instanceof AggregateError ? (error.errors[0] as unknown) : error
  const { code, message } = inner as { readonly code?: unknown; readonly message?: unknown }
  return typeof code === 'string' ? code : String(message)
}
