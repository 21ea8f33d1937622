/**
 * `fetch` for requests with a route. Node's own `fetch` connects only to the URL's host, and the URL must keep that
 * host: it is signed, and the certificate must match it.
 */
import http from 'node:http'
import https from 'node:https'
import { connect, type Socket } from 'node:net'
import type { Route } from '../../model/run/route.ts'

/** The part of `fetch` that this store uses. Node's own `fetch` has this type. */
export type Fetch = (url: string, init: FetchInit) => Promise<FetchAnswer>

type FetchInit = {
  readonly method: string
  readonly headers: Headers
  readonly body: Buffer | null
  readonly redirect: 'manual'
  readonly signal: AbortSignal
}

export type FetchAnswer = {
  readonly status: number
  readonly headers: Headers
  readonly body: AsyncIterable<Uint8Array> | null
}

const PORTS: Readonly<Record<string, number>> = { 'http:': 80, 'https:': 443 }

/** Returns a `fetch` over the route. Its connections stay open between requests, as with Node's own `fetch`. */
export function routedFetch(route: Route): Fetch {
  const agents = new Map<string, Promise<http.Agent>>()
  return async (text, init) => {
    const url = new URL(text)
    let agent = agents.get(url.origin)
    if (agent === undefined) agents.set(url.origin, (agent = agentOf(url, route)))
    return await send(url, init, await agent)
  }
}

async function agentOf({ protocol, hostname, port }: URL, route: Route): Promise<http.Agent> {
  const host = hostname.replace(/^\[(.*)\]$/, '$1')
  const by = await route({ host, port: port === '' ? (PORTS[protocol] ?? 0) : Number(port) })
  const detour = (): Socket => connect({ ...by, noDelay: true, keepAlive: true })
  if (protocol === 'http:') {
    const agent = new http.Agent({ keepAlive: true })
    agent.createConnection = detour
    return agent
  }
  const agent = new https.Agent({ keepAlive: true })
  const secure = agent.createConnection.bind(agent)
  agent.createConnection = (options, callback) => {
    // The other options contain the name of the server, which its certificate must match.
    const through = { ...options, socket: detour() }
    return secure(through, callback)
  }
  return agent
}

function send(url: URL, { method, headers, body, signal }: FetchInit, agent: http.Agent): Promise<FetchAnswer> {
  const { request } = url.protocol === 'http:' ? http : https
  return new Promise((resolve, reject) => {
    const sent = request(url, { method, headers: Object.fromEntries(headers), agent, signal })
    sent.on('error', reject)
    sent.on('response', (answer) => {
      // The error is thrown to the reader of the body. Without a listener it would end the program.
      answer.on('error', () => undefined)
      const facts = { status: answer.statusCode ?? 0, headers: headersOf(answer) }
      if (method !== 'HEAD') {
        resolve({ ...facts, body: answer })
        return
      }
      // Read to the end, so that the connection is free for the next request.
      answer.once('end', () => resolve({ ...facts, body: null }))
      answer.resume()
    })
    sent.end(body ?? undefined)
  })
}

function headersOf({ rawHeaders }: http.IncomingMessage): Headers {
  const headers = new Headers()
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) headers.append(rawHeaders[i] ?? '', rawHeaders[i + 1] ?? '')
  return headers
}
