/**
 * Cloudflare D1 for tests: workerd with real D1 databases, behind the documented REST API. Every program with the
 * address can create databases; faults and counts belong to an account, so that tests do not affect each other.
 */
import { randomUUID } from 'node:crypto'
import fs from 'node:fs'
import http from 'node:http'
import { createRequire } from 'node:module'
import type { AddressInfo } from 'node:net'
import { due, misbehave, refusal, send, type D1Fault, type Pending, type Reply } from './d1-faults.ts'

export const D1_TOKEN = 'v1.0-a-test-token-that-nobody-may-print'

/** Most requests of an account in a period, and how long the account is blocked above that. */
export type D1Limit = { readonly most: number; readonly seconds: number; readonly blockSeconds: number }

export type D1Counts = {
  readonly requests: number
  readonly statements: number
  readonly refused: number
  readonly bytes: number
}

/** The part of an account's state that tests write and read at `/test/ACCOUNT`. */
export type D1State = { readonly faults?: readonly D1Fault[]; readonly limit?: D1Limit | null; readonly reset?: true }

export type D1Server = { readonly url: string; readonly stop: () => Promise<void> }

type Account = {
  faults: Pending[]
  limit: D1Limit | null
  windowStart: number
  used: number
  blockedUntil: number
  counts: { -readonly [K in keyof D1Counts]: D1Counts[K] }
}

type Database = { readonly uuid: string; readonly name: string; readonly binding: string; readonly account: string }

const DATABASES = 150
/** Headers for an account with practically no limit, so that a copy never waits. */
const UNLIMITED = { Ratelimit: '"default";r=1000000;t=300', 'Ratelimit-Policy': '"default";q=1000000;w=300' }
const API = '/client/v4/accounts/'

/** Why no server is available; empty if one is. */
export const D1_MISSING: string = findMiniflare() ? '' : 'miniflare is not installed'
export const D1_AVAILABLE: boolean = D1_MISSING === ''
if (!D1_AVAILABLE && process.env['CI']) throw new Error(`CI needs workerd: ${D1_MISSING}`)

function findMiniflare(): boolean {
  try {
    createRequire(import.meta.url).resolve('miniflare')
    return true
  } catch {
    return false
  }
}

/** @returns the base URL of the API, for `CLOUDFLARE_API_BASE_URL` */
export async function startD1(): Promise<D1Server> {
  const { Miniflare } = await import('miniflare')
  const bindings = Array.from({ length: DATABASES }, (_, i) => `DB${i}`)
  const workerd = new Miniflare({
    modules: true,
    script: fs.readFileSync(new URL('d1-worker.mjs', import.meta.url), 'utf8'),
    d1Databases: Object.fromEntries(bindings.map((name) => [name, name.toLowerCase()])),
    compatibilityDate: '2026-04-01',
    host: '127.0.0.1',
    port: 0,
  })
  const front = new Front(String(await workerd.ready), bindings)
  const url = await front.listen()
  return {
    url,
    stop: async () => {
      front.close()
      await workerd.dispose()
    },
  }
}

class Front {
  readonly #workerd: string
  readonly #free: string[]
  readonly #databases = new Map<string, Database>()
  readonly #accounts = new Map<string, Account>()
  readonly #agent = new http.Agent({ keepAlive: true })
  readonly #server = http.createServer({ keepAliveTimeout: 60_000 }, (request, response) => {
    this.#take(request, response).catch((error: unknown) => {
      if (!response.headersSent) send(response, refusal(500, 7500, `internal error; ${String(error)}`))
      else response.destroy()
    })
  })

  constructor(workerd: string, bindings: readonly string[]) {
    this.#workerd = workerd
    this.#free = [...bindings]
  }

  async listen(): Promise<string> {
    await new Promise<void>((ready) => this.#server.listen(0, '127.0.0.1', ready))
    this.#server.unref()
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/client/v4`
  }

  close(): void {
    this.#server.close()
    this.#server.closeAllConnections()
    this.#agent.destroy()
  }

  async #take(request: http.IncomingMessage, response: http.ServerResponse): Promise<void> {
    const body = await textOf(request)
    const url = new URL(request.url ?? '/', 'http://front')
    if (url.pathname.startsWith('/test/')) return send(response, this.#control(url, body))
    if (!url.pathname.startsWith(API)) return send(response, refusal(404, 7000, 'No route for that URI'))
    const [id = '', ...path] = url.pathname.slice(API.length).split('/').map(decodeURIComponent)
    const account = this.#account(url.searchParams.has('quiet') ? 'quiet' : id)
    account.counts.requests++
    account.counts.bytes += body.length
    const headers = this.#limited(account)
    if (headers.blocked !== null) {
      account.counts.refused++
      return send(response, {
        ...refusal(429, 971, 'Please wait and consider throttling your request speed'),
        headers: headers.all,
      })
    }
    const execute = async (): Promise<Reply> => {
      const reply = await this.#answer(request, id, path, url.searchParams, body, account)
      return { ...reply, headers: { ...headers.all, ...reply.headers } }
    }
    const fault = due(account.faults, body)
    if (fault === null) return send(response, await execute())
    await misbehave(fault, request, response, execute)
  }

  async #answer(
    { method, headers }: http.IncomingMessage,
    account: string,
    [product, kind, id, verb]: readonly string[],
    query: URLSearchParams,
    body: string,
    state: Account,
  ): Promise<Reply> {
    if (headers.authorization === undefined)
      return refusal(400, 9106, 'Missing X-Auth-Key, X-Auth-Email or Authorization headers')
    if (headers.authorization !== `Bearer ${D1_TOKEN}`) return refusal(401, 10000, 'Authentication error')
    if (!/^[0-9a-f]{32}$/.test(account) || product !== 'd1' || kind !== 'database') {
      return refusal(
        404,
        7003,
        `Could not route to /client/v4/accounts/${account}/${product ?? ''}, perhaps your object identifier is invalid?`,
      )
    }
    if (account === '0'.repeat(32)) {
      return refusal(403, 7403, 'The given account is not valid or is not authorized to access this service')
    }
    if (id === undefined) {
      if (method === 'GET') return this.#list(account, query)
      const { name, uuid } = JSON.parse(body) as { readonly name: string; readonly uuid?: string }
      return this.#create(account, name, uuid)
    }
    if (!/^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(id)) {
      return refusal(400, 7400, 'The request is malformed: Invalid property: databaseId => Invalid uuid')
    }
    const database = this.#databases.get(id)
    if (database === undefined || database.account !== account) {
      return refusal(404, 7404, `The database ${id} could not be found`)
    }
    if (verb === undefined) {
      return method === 'DELETE' ? this.#drop(database) : success({ ...shown(database), file_size: 0, num_tables: 0 })
    }
    if (method !== 'POST' || (verb !== 'query' && verb !== 'raw')) return refusal(404, 7003, 'Could not route')
    const asked = JSON.parse(body) as { readonly batch?: readonly unknown[] }
    const statements = asked.batch ?? [asked]
    state.counts.statements += statements.length
    return this.#run(database, statements, verb)
  }

  async #run({ binding }: Database, statements: readonly unknown[], verb: 'query' | 'raw'): Promise<Reply> {
    const text = await this.#ask(binding, JSON.stringify(statements))
    // Successful answers are forwarded as text: they can be long, and must not be changed.
    if (text.startsWith('[')) {
      const result = verb === 'raw' ? text : JSON.stringify((JSON.parse(text) as readonly RawResult[]).map(asObjects))
      return { status: 200, body: `{"result":${result},"errors":[],"messages":[],"success":true}` }
    }
    return refusal(400, 7500, (JSON.parse(text) as { readonly error: string }).error)
  }

  #ask(binding: string, body: string): Promise<string> {
    return new Promise((resolve, reject) => {
      const forwarded = http.request(`${this.#workerd}${binding}`, { method: 'POST', agent: this.#agent }, (answer) => {
        textOf(answer).then(resolve, reject)
      })
      forwarded.on('error', reject)
      forwarded.end(body)
    })
  }

  #list(account: string, query: URLSearchParams): Reply {
    const wanted = query.get('name')
    const page = Number(query.get('page') ?? 1)
    const size = Number(query.get('per_page') ?? 100)
    const found = [...this.#databases.values()].filter(
      (one) => one.account === account && (wanted === null || one.name.includes(wanted)),
    )
    const shownHere = found.slice((page - 1) * size, page * size).map(shown)
    return success(shownHere, { page, per_page: size, count: shownHere.length, total_count: found.length })
  }

  /** @param uuid chosen by a test, although Cloudflare ignores it; default: a random one */
  #create(account: string, name: string, uuid: string = randomUUID()): Reply {
    const taken = [...this.#databases.values()].some((one) => one.account === account && one.name === name)
    if (taken) return refusal(400, 7502, `A database with the name '${name}' already exists`)
    const binding = this.#free.shift()
    if (binding === undefined) return refusal(400, 7406, `no more than ${DATABASES} databases: delete some`)
    const database = { uuid, name, binding, account }
    this.#databases.set(database.uuid, database)
    return success(shown(database))
  }

  /** Deletes a database; another database may reuse its binding. */
  async #drop(database: Database): Promise<Reply> {
    this.#databases.delete(database.uuid)
    const kinds =
      "SELECT type, name FROM sqlite_master WHERE type IN ('table', 'view') AND name NOT GLOB 'sqlite_*' AND name NOT GLOB '_cf_*'"
    const [listed] = JSON.parse(await this.#ask(database.binding, JSON.stringify([{ sql: kinds, params: [] }]))) as [
      RawResult,
    ]
    const drops = listed.results.rows.map(
      ([type, name]) => `DROP ${String(type)} IF EXISTS "${String(name).replaceAll('"', '""')}"`,
    )
    const all = ['PRAGMA defer_foreign_keys = true', ...drops].map((sql) => ({ sql, params: [] }))
    if ((await this.#ask(database.binding, JSON.stringify(all))).startsWith('[')) this.#free.push(database.binding)
    return success(null)
  }

  #account(id: string): Account {
    let account = this.#accounts.get(id)
    if (account === undefined) {
      const counts = { requests: 0, statements: 0, refused: 0, bytes: 0 }
      account = { faults: [], limit: null, windowStart: 0, used: 0, blockedUntil: 0, counts }
      this.#accounts.set(id, account)
    }
    return account
  }

  /** Counts a request against the account's limit. */
  #limited(account: Account): { readonly all: Readonly<Record<string, string>>; readonly blocked: number | null } {
    const { limit } = account
    if (limit === null) return { all: UNLIMITED, blocked: null }
    const now = Date.now()
    if (now >= account.windowStart + limit.seconds * 1000) {
      account.windowStart = now
      account.used = 0
    }
    if (now >= account.blockedUntil && account.used >= limit.most)
      account.blockedUntil = now + limit.blockSeconds * 1000
    const blocked = now < account.blockedUntil ? Math.ceil((account.blockedUntil - now) / 1000) : null
    if (blocked === null) account.used++
    const reset = Math.ceil((account.windowStart + limit.seconds * 1000 - now) / 1000)
    return {
      blocked,
      all: {
        Ratelimit: `"default";r=${blocked === null ? limit.most - account.used : 0};t=${blocked ?? reset}`,
        'Ratelimit-Policy': `"default";q=${limit.most};w=${limit.seconds}`,
        ...(blocked === null ? {} : { 'Retry-After': String(blocked) }),
      },
    }
  }

  #control(url: URL, body: string): Reply {
    const account = this.#account(url.pathname.slice('/test/'.length))
    const { faults, limit, reset } = (body === '' ? {} : JSON.parse(body)) as D1State
    if (faults !== undefined) account.faults = faults.map((fault) => ({ ...fault }))
    if (limit !== undefined) Object.assign(account, { limit, windowStart: 0, used: 0, blockedUntil: 0 })
    if (reset === true) account.counts = { requests: 0, statements: 0, refused: 0, bytes: 0 }
    return { status: 200, body: JSON.stringify(account.counts) }
  }
}

type RawResult = {
  readonly results: { readonly columns: readonly string[]; readonly rows: readonly (readonly unknown[])[] }
}

/** Rows of `/query`: one object each; of columns with equal names, the last one wins. */
function asObjects(one: RawResult): unknown {
  const { columns, rows } = one.results
  return { ...one, results: rows.map((row) => Object.fromEntries(columns.map((name, i) => [name, row[i]]))) }
}

function shown({ uuid, name }: Database): object {
  return { uuid, name, version: 'production', created_at: '2026-04-01T00:00:00.000Z' }
}

function success(result: unknown, info?: object): Reply {
  return { status: 200, body: JSON.stringify({ result, errors: [], messages: [], success: true, result_info: info }) }
}

async function textOf(stream: http.IncomingMessage): Promise<string> {
  const pieces: Buffer[] = []
  for await (const piece of stream) pieces.push(piece as Buffer)
  return Buffer.concat(pieces).toString('utf8')
}
