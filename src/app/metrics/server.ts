/** HTTP server for `GET /metrics` only. Does not keep the program running, and does not block a run. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { isIP, type AddressInfo } from 'node:net'
import { hostname } from 'node:os'
import { SluiceError } from '../../shared/errors.ts'

/** @property host null: only this machine @property port 0: any free port */
export type MetricsAddress = { readonly host: string | null; readonly port: number }

/** Limits for slow or idle clients. */
const REQUEST_MS = 5_000
const IDLE_MS = 65_000
const MOST_CONNECTIONS = 32

export type Exposition = { readonly contentType: string; metrics(): Promise<string> }

export class MetricsServer implements AsyncDisposable {
  /** Address of the metrics. */
  readonly url: string
  readonly #servers: readonly Server[]

  private constructor(url: string, servers: readonly Server[]) {
    this.url = url
    this.#servers = servers
  }

  /** @throws SluiceError PORT_TAKEN, BAD_FLAG if the address is invalid */
  static async open({ host, port }: MetricsAddress, exposition: Exposition): Promise<MetricsServer> {
    const first = await listening(host ?? '127.0.0.1', port, exposition)
    const { port: taken } = first.address() as AddressInfo
    const servers = [first]
    // `localhost` may mean IPv4 or IPv6. IPv4 is enough if IPv6 is unavailable, or the chosen free port is taken there.
    if (host === null) {
      const second = await listening('::1', taken, exposition).catch((error: unknown) => {
        if (port !== 0 && error instanceof SluiceError && error.code === 'PORT_TAKEN') return error
        return null
      })
      if (second instanceof SluiceError) {
        await closed(first)
        throw second
      }
      if (second !== null) servers.push(second)
    }
    const shown = host === null ? '127.0.0.1' : host.includes(':') ? `[${host}]` : host
    return new MetricsServer(`http://${shown}:${taken}/metrics`, servers)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#servers.map(closed))
  }
}

async function listening(host: string, port: number, exposition: Exposition): Promise<Server> {
  const server = createServer(
    {
      requestTimeout: REQUEST_MS,
      headersTimeout: REQUEST_MS,
      keepAliveTimeout: IDLE_MS,
      connectionsCheckingInterval: 1_000,
    },
    (request, response) => void answer(request, response, host, exposition),
  )
  server.maxConnections = MOST_CONNECTIONS
  // The program does not wait for a scrape in progress.
  server.on('connection', (socket) => {
    socket.unref()
    socket.setTimeout(IDLE_MS, () => socket.destroy())
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => reject(refusal(error, host, port)))
    server.listen({ host, port, exclusive: true }, resolve)
  })
  // Later errors affect only the scraper.
  server.on('error', () => undefined)
  server.unref()
  return server
}

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  named: string,
  exposition: Exposition,
): Promise<void> {
  response.on('error', () => undefined)
  request.resume()
  if (!isOwnName(request, named))
    return plain(response, 421, 'use an address or the name of this machine; SLUICE_METRICS_NAMES adds names\n')
  const [path] = (request.url ?? '').split('?')
  if (path !== '/metrics') return plain(response, 404, 'only /metrics is served\n')
  if (request.method !== 'GET') return plain(response.setHeader('allow', 'GET'), 405, 'only GET is supported\n')
  try {
    const text = await exposition.metrics()
    response.writeHead(200, { 'content-type': exposition.contentType, 'cache-control': 'no-store' }).end(text)
  } catch {
    plain(response, 500, 'the metrics cannot be served\n')
  }
}

/**
 * True if the Host header is an address, `localhost`, or a name of this machine: its system name, the host name in the
 * option, or a name in $SLUICE_METRICS_NAMES. Prevents DNS rebinding: a browser sends the host name of the malicious
 * page, which the page cannot change.
 */
function isOwnName({ headers }: IncomingMessage, named: string): boolean {
  const host = hostOf(headers.host ?? '')
  const known = [named, 'localhost', hostname(), ...(process.env['SLUICE_METRICS_NAMES'] ?? '').split(',')]
  return isIP(host) !== 0 || (host !== '' && known.some((own) => own.trim().toLowerCase() === host))
}

/** The host of `HOST:PORT`, in lower case and without the brackets of an IPv6 address. */
const hostOf = (header: string): string =>
  header
    .toLowerCase()
    .replace(/:\d*$/, '')
    .replace(/^\[(.*)\]$/, '$1')

function plain(response: ServerResponse, status: number, text: string): void {
  response.writeHead(status, { 'content-type': 'text/plain; charset=utf-8' }).end(text)
}

async function closed(server: Server): Promise<void> {
  await new Promise((resolve) => {
    server.close(resolve)
    server.closeAllConnections()
  })
}

function refusal(error: NodeJS.ErrnoException, host: string, port: number): SluiceError {
  const where = host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
  if (error.code === 'EADDRINUSE') {
    return new SluiceError('PORT_TAKEN', 'another program already listens at this address', {
      where,
      reason: error.message,
      hint: 'give another port, or --metrics 0 for a free one',
      cause: error,
    })
  }
  return new SluiceError('BAD_FLAG', 'the metrics cannot be served at this address', {
    where,
    reason: error.message,
    hint: '--metrics takes a port, or an address of this machine and a port: --metrics 9464, --metrics 10.0.0.5:9464',
    cause: error,
  })
}
